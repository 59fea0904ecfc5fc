package mount

import (
	"path/filepath"
	"slices"
	"strings"
)

// Helper is what mount(8) asks of a mount helper.
type Helper struct {
	Source  string // as written, such as image.vtr@3
	Dir     string
	Options Options
	Raw     bool     // option raw
	All     bool     // option timeline
	Rest    []string // options that the mount does not know, for the command
	Fake    bool     // -f: check, do not mount
	Verbose bool     // -v
}

// IsHelper says that the program was called as a mount helper: by a name such
// as mount.vitrine or mount.fuse.vitrine, or, as mount.fuse does, with the
// arguments SRC DIR -o OPTIONS. args[0] is the program's name.
func IsHelper(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if strings.HasPrefix(filepath.Base(args[0]), "mount.") {
		return true
	}
	return len(args) >= 5 && args[3] == "-o" &&
		!strings.HasPrefix(args[1], "-") && filepath.IsAbs(args[2])
}

// ParseHelper reads the arguments of a mount helper, without the program's name:
// SRC DIR [-sfnvN] [-o OPTIONS] [-t TYPE] [-N NAMESPACE].
func ParseHelper(args []string) (*Helper, error) {
	h := &Helper{}
	var words []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			words = append(words, arg)
			continue
		}
		used, err := h.flags(arg[1:], args[i+1:])
		if err != nil {
			return nil, err
		}
		i += used
	}
	if len(words) != 2 {
		return nil, &OptionError{strings.Join(words, " "), "expected an image and a folder"}
	}
	h.Source, h.Dir = words[0], words[1]
	return h, nil
}

// flags reads a word of one-letter flags; used is how many of the arguments
// behind it belong to it.
func (h *Helper) flags(letters string, behind []string) (used int, err error) {
	for i, c := range letters {
		switch c {
		case 'f':
			h.Fake = true
		case 'v':
			h.Verbose = true
		case 's', 'n', 'r':
		case 'o', 't', 'N':
			value := letters[i+1:]
			if value == "" {
				if len(behind) == 0 {
					return 0, &OptionError{"-" + string(c), "its value is missing"}
				}
				value, used = behind[0], 1
			}
			if c == 'o' {
				err = h.options(value)
			}
			return used, err
		default:
			return 0, &OptionError{"-" + string(c), "unknown"}
		}
	}
	return 0, nil
}

func (h *Helper) options(text string) error {
	// mount(8) says "rw" when nobody said anything.
	list := slices.DeleteFunc(splitOptions(text), func(opt string) bool { return opt == "rw" })
	rest, err := h.Options.setAll(list)
	for _, opt := range rest {
		switch opt {
		case "raw":
			h.Raw = true
		case "timeline":
			h.All = true
		default:
			h.Rest = append(h.Rest, opt)
		}
	}
	return err
}
