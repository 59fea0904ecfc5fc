package wine

import "encoding/binary"

// Layout of the file that forwarder writes: the headers, and one section with
// the export directory, [PE Format, "The .edata Section"].
const (
	peAt        = 0x40  // after the DOS header
	headersSize = 0x200 // bytes, rounded up to the file alignment
	sectionRVA  = 0x1000
	sectionSize = 0x200
	imageSize   = 0x2000
)

// forwarder gives a DLL for x64 without any code, whose one export points to an
// export of another DLL: target is "advapi32.SystemFunction036".
func forwarder(dll, export, target string) []byte {
	b := make([]byte, headersSize+sectionSize)
	le := binary.LittleEndian
	copy(b, "MZ")
	le.PutUint32(b[0x3C:], peAt)

	coff := b[peAt:]
	copy(coff, "PE\x00\x00")
	le.PutUint16(coff[4:], 0x8664)  // machine
	le.PutUint16(coff[6:], 1)       // sections
	le.PutUint16(coff[20:], 240)    // size of the optional header
	le.PutUint16(coff[22:], 0x2022) // executable, large addresses, DLL

	opt := coff[24:]
	le.PutUint16(opt, 0x20B) // PE32+
	le.PutUint64(opt[24:], 0x180000000)
	le.PutUint32(opt[32:], 0x1000) // alignment of sections
	le.PutUint32(opt[36:], 0x200)  // and in the file
	le.PutUint16(opt[40:], 6)      // version of the system
	le.PutUint16(opt[48:], 6)      // and of the subsystem
	le.PutUint32(opt[56:], imageSize)
	le.PutUint32(opt[60:], headersSize)
	le.PutUint16(opt[68:], 3)     // console
	le.PutUint16(opt[70:], 0x100) // fits data execution prevention
	le.PutUint32(opt[108:], 16)   // data directories
	le.PutUint32(opt[112:], sectionRVA)
	le.PutUint32(opt[116:], sectionSize)

	section := opt[240:]
	copy(section, ".edata")
	le.PutUint32(section[8:], sectionSize)
	le.PutUint32(section[12:], sectionRVA)
	le.PutUint32(section[16:], sectionSize)
	le.PutUint32(section[20:], headersSize)
	le.PutUint32(section[36:], 0x40000040) // initialised data, readable

	exports(b[headersSize:], dll, export, target)
	return b
}

// exports writes the export directory with its tables and texts.
func exports(b []byte, dll, export, target string) {
	const functions, names, ordinals, texts = 0x28, 0x2C, 0x30, 0x34
	le := binary.LittleEndian
	at := texts
	text := func(s string) uint32 {
		rva := uint32(sectionRVA + at)
		at += copy(b[at:], s) + 1
		return rva
	}
	le.PutUint32(b[12:], text(dll))
	le.PutUint32(b[16:], 1) // first ordinal
	le.PutUint32(b[20:], 1) // functions
	le.PutUint32(b[24:], 1) // names
	le.PutUint32(b[28:], sectionRVA+functions)
	le.PutUint32(b[32:], sectionRVA+names)
	le.PutUint32(b[36:], sectionRVA+ordinals)
	le.PutUint32(b[names:], text(export))
	// A function that lies inside the directory is the name of another.
	le.PutUint32(b[functions:], text(target))
}
