package mount

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// StreamNames says how named streams are shown.
type StreamNames uint8

// The ways to show streams.
const (
	StreamsXattr StreamNames = iota // as extended attributes user.NAME, up to 64 KiB
	StreamsColon                    // besides, by the name file:stream; not listed
	StreamsNone                     // not at all
)

// Options are those of one mount. The zero value shows everything to the
// mounting user alone.
type Options struct {
	// Image is the image's path, for the register, for the system's list of
	// mounts, and to keep the mount from hiding it. Name is what is shown in
	// place of Image when it is not the whole truth ("…vtr@3").
	Image string
	Name  string
	// Point describes the point that is shown, for the register ("3", "timeline").
	Point string

	AllowOther bool // other users see the mount as well; they are checked by mode
	NonEmpty   bool // mount over a folder that has entries

	// Owner and mode of files of volumes that have neither. SetUID and SetGID
	// say that UID and GID are meant, for volumes with owners too.
	SetUID, SetGID bool
	UID, GID       uint32
	FileMask       uint16 // bits taken away from 0777; default 0133
	DirMask        uint16 // default 0022
	SetFileMask    bool
	SetDirMask     bool

	Streams   StreamNames
	AllXattrs bool // list system.ntfs_* too, which are otherwise only told when asked for by name
	NoExec    bool

	// VolumeName, FSName and Serial are for Windows.
	VolumeName string
	FSName     string // what the drive calls its file system; default Vitrine

	// Log takes one line a call about what went wrong inside; nil: dropped.
	Log func(line string)
}

// Default masks.
const (
	defaultFileMask = 0o133
	defaultDirMask  = 0o022
)

func (o *Options) fileMask() uint16 {
	if o.SetFileMask {
		return o.FileMask
	}
	return defaultFileMask
}

func (o *Options) dirMask() uint16 {
	if o.SetDirMask {
		return o.DirMask
	}
	return defaultDirMask
}

func (o *Options) uid() uint32 {
	if o.SetUID {
		return o.UID
	}
	return uint32(max(0, os.Getuid()))
}

func (o *Options) gid() uint32 {
	if o.SetGID {
		return o.GID
	}
	return uint32(max(0, os.Getgid()))
}

func (o *Options) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

func (o *Options) shownName() string {
	if o.Name != "" {
		return o.Name
	}
	return o.Image
}

// OptionError is an option that is unknown or has a wrong value.
type OptionError struct{ Option, Reason string }

func (e *OptionError) Error() string { return "option " + e.Option + ": " + e.Reason }

// Set applies the text of one -o option, such as "umask=022", or several with
// commas between. What it does not know comes back in rest, in order, for the
// command to know; generic options that mean nothing to an image are dropped.
func (o *Options) Set(text string) (rest []string, err error) {
	return o.setAll(splitOptions(text))
}

func (o *Options) setAll(list []string) (rest []string, err error) {
	for _, opt := range list {
		known, err := o.set(opt)
		if err != nil {
			return rest, err
		}
		if !known {
			rest = append(rest, opt)
		}
	}
	return rest, nil
}

// splitOptions splits at commas; a backslash takes the next one literally.
func splitOptions(text string) (list []string) {
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			list = append(list, b.String())
		}
		b.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == ',':
			flush()
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return list
}

func (o *Options) set(opt string) (known bool, err error) {
	key, value, hasValue := strings.Cut(opt, "=")
	if f, ok := plainOptions[key]; ok && !hasValue {
		f(o)
		return true, nil
	}
	if f, ok := valueOptions[key]; ok {
		if err := f(o, value); err != nil {
			return true, &OptionError{opt, err.Error()}
		}
		return true, nil
	}
	if key == "rw" {
		return true, &OptionError{opt, "images are mounted read-only"}
	}
	return generic(key), nil
}

var plainOptions = map[string]func(*Options){
	"ro":                  func(*Options) {},
	"allow_other":         func(o *Options) { o.AllowOther = true },
	"default_permissions": func(*Options) {}, // follows allow_other
	"nonempty":            func(o *Options) { o.NonEmpty = true },
	"noexec":              func(o *Options) { o.NoExec = true },
	"all_xattrs":          func(o *Options) { o.AllXattrs = true },
}

var valueOptions = map[string]func(*Options, string) error{
	"uid":     func(o *Options, v string) error { o.SetUID = true; return parseID(v, &o.UID) },
	"gid":     func(o *Options, v string) error { o.SetGID = true; return parseID(v, &o.GID) },
	"fmask":   func(o *Options, v string) error { o.SetFileMask = true; return parseMask(v, &o.FileMask) },
	"dmask":   func(o *Options, v string) error { o.SetDirMask = true; return parseMask(v, &o.DirMask) },
	"umask":   (*Options).setUmask,
	"streams": (*Options).setStreams,
	"volname": func(o *Options, v string) error { o.VolumeName = v; return nil },
	"fsname":  func(o *Options, v string) error { o.Name = v; return nil },
	"fs-name": func(o *Options, v string) error { o.FSName = v; return nil },
}

func (o *Options) setUmask(v string) error {
	o.SetFileMask, o.SetDirMask = true, true
	err := parseMask(v, &o.FileMask)
	o.DirMask = o.FileMask
	return err
}

func (o *Options) setStreams(v string) error {
	switch v {
	case "xattr":
		o.Streams = StreamsXattr
	case "colon":
		o.Streams = StreamsColon
	case "none":
		o.Streams = StreamsNone
	default:
		return fmt.Errorf("it can be xattr, colon or none")
	}
	return nil
}

func parseID(v string, to *uint32) error {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return fmt.Errorf("it must be a number")
	}
	*to = uint32(n)
	return nil
}

func parseMask(v string, to *uint16) error {
	n, err := strconv.ParseUint(v, 8, 16)
	if err != nil || n > 0o777 {
		return fmt.Errorf("it must be an octal number up to 777")
	}
	*to = uint16(n)
	return nil
}

// generic says that mount(8) and fstab use the option for themselves, or that it
// makes no difference to an image.
func generic(key string) bool {
	if strings.HasPrefix(key, "x-") || strings.HasPrefix(key, "X-") {
		return true
	}
	switch key {
	case "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group",
		"nofail", "_netdev", "comment", "exec", "dev", "nodev", "suid", "nosuid",
		"atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime",
		"lazytime", "nolazytime", "diratime", "nodiratime", "sync", "async", "dirsync",
		"mand", "nomand", "silent", "loud", "iversion", "noiversion", "rbind", "private":
		return true
	}
	return false
}
