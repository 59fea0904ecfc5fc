package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"vitrine/index"
	"vitrine/reader"
)

func newList(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "list [DIR...]", Short: "List image sets and their points", GroupID: groupMake,
		Long: `List the image sets in folders (default: this one) with their points: number, kind,
date, the member's size, how much had changed, the comment. Nothing but the ends of
the files is read.`,
		Example: `  vitrine list backups/
  vitrine list backups/ --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return runList(c.Context(), e, args)
		},
	}
}

func runList(ctx context.Context, e *env, dirs []string) error {
	found := 0
	for _, dir := range dirs {
		sets, err := listDir(ctx, dir)
		if err != nil {
			return err
		}
		for _, s := range sets {
			if found++; found > 1 && !e.json {
				fmt.Fprintln(e.Out)
			}
			if err := e.printSet(s); err != nil {
				return err
			}
		}
	}
	if found == 0 {
		e.say("no images in %s", strings.Join(dirs, ", "))
	}
	return nil
}

// listDir lists the sets of a folder, or the set that a file belongs to.
func listDir(ctx context.Context, dir string) ([]*reader.Set, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return reader.ScanDir(ctx, dir)
	}
	set, err := setOfFile(ctx, dir)
	return []*reader.Set{set}, err
}

func (e *env) setOf(ctx context.Context, path string) (*reader.Set, error) {
	return setOfFile(ctx, path)
}

// setOfFile lists the set that a member's file belongs to.
func setOfFile(ctx context.Context, path string) (*reader.Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := index.ReadHeader(f)
	if err != nil {
		return nil, at(path, err)
	}
	sets, err := reader.ScanDir(ctx, filepath.Dir(path))
	for _, s := range sets {
		if s.ID == h.Set {
			return s, nil
		}
	}
	return nil, errors.Join(err, at(path, fs.ErrNotExist))
}

// memberObject is a member in --json. Sizes are bytes.
type memberObject struct {
	Number  uint32   `json:"number"`
	Kind    string   `json:"kind,omitempty"`
	State   string   `json:"state"` // ok, unfinished, damaged, missing
	Error   string   `json:"error,omitempty"`
	Created string   `json:"created,omitempty"`
	UID     string   `json:"uid,omitempty"`
	Parent  *uint32  `json:"parent,omitempty"`
	Path    string   `json:"path,omitempty"`
	Parts   []string `json:"parts,omitempty"`
	Size    int64    `json:"size"`
	Used    int64    `json:"used,omitempty"`
	Changed int64    `json:"changed,omitempty"`
	Stored  int64    `json:"stored,omitempty"`
	Source  string   `json:"source,omitempty"`
	Comment string   `json:"comment,omitempty"`
	Root    string   `json:"root,omitempty"`
	LeftOut int      `json:"left_out,omitempty"`
	NotRead int64    `json:"unreadable,omitempty"`
	meta    *index.Meta
}

// setObject is a set in --json.
type setObject struct {
	ID      string         `json:"id"`
	Prefix  string         `json:"prefix,omitempty"`
	Dir     string         `json:"dir"`
	Size    int64          `json:"size"`
	Members []memberObject `json:"members"`
}

func newSetObject(s *reader.Set) setObject {
	o := setObject{ID: s.ID.String(), Prefix: s.Prefix, Dir: s.Dir}
	for i := range s.Members {
		m := newMemberObject(&s.Members[i])
		o.Members = append(o.Members, m)
		o.Size += m.Size
	}
	return o
}

func newMemberObject(m *reader.Member) memberObject {
	o := memberObject{Number: m.Number, State: memberState(m), Path: m.Path, Parts: m.Parts, Size: m.Size}
	if m.Err != nil {
		o.Error = oneLine(m.Err.Error())
	}
	if m.Kind == 0 { // the header could not be read
		return o
	}
	o.Kind, o.UID, o.Created = m.Kind.String(), m.UID.String(), iso(m.Created)
	if m.ParentNumber != index.NoParent {
		o.Parent = &m.ParentNumber
	}
	if m.Usable() {
		o.Root = m.Root.String()
		o.addMeta(m)
	}
	return o
}

// addMeta reads what only the member's end tells. Where it cannot, the rest
// still stands.
func (o *memberObject) addMeta(m *reader.Member) {
	f, err := os.Open(m.Parts[len(m.Parts)-1])
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	t, err := index.ReadTail(f, info.Size())
	if err != nil {
		o.State, o.Error = "damaged", oneLine(err.Error())
		return
	}
	o.meta = t.Meta
	o.Source, o.Comment = t.Meta.Source, t.Meta.Comment
	if st := t.Meta.Stats; st != nil {
		o.Used, o.Changed, o.Stored, o.NotRead = st.Used, st.Changed, st.Stored, st.Unreadable
	}
	for _, d := range t.Meta.Disks {
		for _, p := range d.Partitions {
			o.LeftOut += len(p.LeftOut)
		}
	}
}

// memberState is one word for whether a member can be used.
func memberState(m *reader.Member) string {
	switch {
	case errors.Is(m.Err, reader.ErrMissing):
		return "part missing"
	case m.Err != nil:
		return "damaged"
	case !m.Finished:
		return "unfinished"
	}
	return "ok"
}

func (e *env) printSet(s *reader.Set) error {
	o := newSetObject(s)
	if e.json {
		e.emit("set", o)
		return nil
	}
	name := o.ID
	if s.ID == (index.ImageID{}) {
		name = "files that belong to no set"
	}
	fmt.Fprintf(e.Out, "%s  %s, %s", printable(s.Prefix+name), plural(int64(len(o.Members)), "member"), size(o.Size))
	if src := o.source(); src != "" {
		fmt.Fprintf(e.Out, ", of %s", printable(src))
	}
	fmt.Fprintln(e.Out)
	t := newTable(">POINT", "KIND", "CAPTURED", ">SIZE", ">CHANGED", ">ONTO", "COMMENT")
	for i, m := range o.Members {
		t.row(fmt.Sprint(m.Number), m.Kind, stampMember(&s.Members[i]), size(m.Size), changedWord(m), parentWord(m), commentWord(m))
	}
	return t.print(e.Out)
}

// source is what the newest member that tells was captured from.
func (o *setObject) source() string {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if o.Members[i].Source != "" {
			return o.Members[i].Source
		}
	}
	return ""
}

func stampMember(m *reader.Member) string {
	if m.Kind == 0 {
		return "-"
	}
	return stamp(m.Time())
}

func changedWord(m memberObject) string {
	if m.meta == nil || m.meta.Stats == nil {
		return "-"
	}
	return size(m.Changed)
}

func parentWord(m memberObject) string {
	if m.Parent == nil {
		return "-"
	}
	return fmt.Sprint(*m.Parent)
}

// commentWord is the comment, with what is wrong in front of it.
func commentWord(m memberObject) string {
	var words []string
	switch {
	case m.State == "unfinished":
		words = append(words, "UNFINISHED (vitrine rescue salvages it)")
	case m.State != "ok":
		words = append(words, strings.ToUpper(m.State)+": "+m.Error)
	case m.NotRead > 0:
		words = append(words, size(m.NotRead)+" UNREADABLE")
	}
	if m.Comment != "" {
		words = append(words, m.Comment)
	}
	return strings.Join(words, "  ")
}
