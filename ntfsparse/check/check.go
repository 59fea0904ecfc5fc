package check

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Options are what the caller may choose. The zero value works.
type Options struct {
	// MaxPerCode bounds the findings kept of each code and severity; 0: 1000.
	// The others are counted.
	MaxPerCode int
	// Deep also reads all contents and expands what is compressed.
	Deep bool
	// Progress is called now and then, from Run's goroutine.
	Progress func(Progress)
}

// Progress says how far a phase is. Totals are exact and known when the phase
// starts.
type Progress struct {
	Phase       string // such as "file records", "folders", "clusters", "contents"
	Done, Total int64  // bytes
}

type checker struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	o    Options
	rep  *Report
	err  error // the context's, once it ended

	g         geometry
	info      volumeInfo
	up        *upcase
	onlyASCII bool // up is not known to be the volume's for other letters
	defs      definitions
	mft       stream
	spare     []byte // the mirror's copy of record 0, when that is damaged
	records   uint64 // that the file table has room for
	bits      recordBits
	table     table
	owned     clusterMap
	cur       current
	ids       [1 << 16]uint32 // by attribute identifier: the round that met it last
	idRound   uint32          // of the record being judged
	lists     int64           // records with an attribute list
	secIDs    map[uint32]uint32

	doubled  spans // clusters that are owned twice
	unmarked spans // owned, but marked free
	unowned  spans // marked used, owned by nobody

	indexBytes              int64             // of all index allocations
	nodes                   [][]byte          // of the index that is walked, see node
	indexBudget             budget            // bytes of index blocks
	listBudget              budget            // attribute list entries
	valueBudget             budget            // bytes of values and contents
	folders                 map[string]uint64 // children of $Extend by name
	hiberfil                uint64
	pathBytes               int // of the findings' paths
	textBytes               int // of their sentences and attributes
	proofs                  chunkProofs
	objectIDs, reparseIndex uint64 // records of $ObjId and $Reparse; 0: none
	quiet                   bool   // in a second walk: what it finds is reported already

	count     map[kind]int
	paths     map[uint64]string
	also      map[int]uint64 // another file that a finding tells of, by its place in the report
	lost      map[uint64]lostName
	left      map[string]bool // what leftOut told of
	linkBytes int             // that names in doubt may still take
	done      Progress
}

// maxTextBytes bounds the sentences of all findings: names in them may have 255 units
// that take 12 letters each; tests lower it.
var maxTextBytes = 8 << 20

// kind is what findings are counted by.
type kind struct {
	code string
	sev  Severity
}

// Run checks the NTFS volume of the given size in bytes that r holds. The error
// is ctx's, or nil: whatever is wrong with the volume is in the report.
func Run(ctx context.Context, r io.ReaderAt, size int64, o Options) (*Report, error) {
	c := newChecker(ctx, r, size, o)
	if c.boot() && c.openTable() {
		c.stages()
	}
	c.addPaths()
	if c.err != nil {
		return nil, c.err
	}
	c.rep.finish()
	return c.rep, nil
}

func newChecker(ctx context.Context, r io.ReaderAt, size int64, o Options) *checker {
	if o.MaxPerCode <= 0 {
		o.MaxPerCode = 1000
	}
	return &checker{
		ctx: ctx, r: r, size: size, o: o, rep: &Report{Findings: []Finding{}},
		count: map[kind]int{}, paths: map[uint64]string{}, also: map[int]uint64{}, lost: map[uint64]lostName{}, left: map[string]bool{},
		folders: map[string]uint64{}, secIDs: map[uint32]uint32{},
	}
}

// stages run one after the other; each stands on what the former learned.
func (c *checker) stages() {
	for _, stage := range []func(){
		c.readVolume, c.readUpcase, c.readTableBitmap, c.log,
		c.scanTable, c.attributeLists, c.extensions, c.mirror, c.systemFiles,
		c.indexes, c.extend, c.links, c.parents, c.security,
		c.clusters, c.hibernation, c.elsewhere, c.deep,
	} {
		if c.stopped() {
			return
		}
		stage()
	}
}

// stopped reports whether the caller has lost interest.
func (c *checker) stopped() bool {
	if c.err == nil {
		c.err = c.ctx.Err()
	}
	return c.err != nil
}

// find records a finding of the code's usual severity.
func (c *checker) find(code string, rec uint64, attribute, format string, args ...any) {
	c.findAs(Codes[code].Severity, code, rec, attribute, format, args...)
}

func (c *checker) findAs(sev Severity, code string, rec uint64, attribute, format string, args ...any) {
	if c.quiet {
		return
	}
	c.rep.Worst = max(c.rep.Worst, sev)
	switch {
	case sev >= Error:
		c.rep.Errors++
	case sev == Warning:
		c.rep.Warnings++
	}
	k := kind{code, sev}
	msg := ""
	if c.count[k]++; c.count[k] <= c.o.MaxPerCode && c.textBytes <= maxTextBytes {
		msg = fmt.Sprintf(format, args...)
		c.textBytes += len(msg) + len(attribute)
	}
	if msg == "" {
		if c.rep.Omitted == nil {
			c.rep.Omitted = map[string]int{}
		}
		c.rep.Omitted[code]++
		return
	}
	c.rep.Findings = append(c.rep.Findings, Finding{code, sev, rec, "", attribute, msg})
}

// full tells whether further findings of a code's usual severity are counted only.
func (c *checker) full(code string) bool {
	return c.count[kind{code, Codes[code].Severity}] >= c.o.MaxPerCode || c.textBytes > maxTextBytes
}

// leftOut says, once for each cause, that not all of something was looked at.
func (c *checker) leftOut(what string) {
	c.rep.Incomplete = true
	if c.left[what] {
		return
	}
	c.left[what] = true
	quiet := c.quiet
	c.quiet = false
	c.find("V11", NoRecord, "", "Not looked at were some of the %s.", what)
	c.quiet = quiet
}

func (c *checker) start(phase string, total int64) {
	c.done = Progress{phase, 0, total}
	c.advance(0)
}

func (c *checker) advance(n int64) {
	c.done.Done = min(c.done.Done+n, c.done.Total)
	if c.o.Progress != nil {
		c.o.Progress(c.done)
	}
}

var errOutside = errors.New("outside the volume")

// readAt fills p from the volume.
func (c *checker) readAt(p []byte, off int64) error {
	if off < 0 || off > c.size || int64(len(p)) > c.size-off {
		return errOutside
	}
	if c.stopped() {
		return c.err
	}
	n, err := c.r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}
