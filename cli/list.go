package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"vitrine/capture"
	"vitrine/index"
	"vitrine/internal/filelock"
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
	found, bad := 0, listTrouble{}
	for _, dir := range dirs {
		sets, err := e.listDir(ctx, dir)
		if err != nil {
			return err
		}
		for _, s := range sets {
			if found++; found > 1 && !e.json {
				fmt.Fprintln(e.Out)
			}
			if err := e.printSet(s, &bad); err != nil {
				return err
			}
		}
	}
	if found == 0 {
		e.say("no images in %s", strings.Join(dirs, ", "))
	}
	return bad.err()
}

// listTrouble counts the points that cannot be used as they are.
type listTrouble struct{ damaged, missing int64 }

func (t *listTrouble) count(m *memberObject) {
	switch m.State {
	case "damaged":
		t.damaged++
	case "part missing", "parent missing":
		t.missing++
	}
}

func (t *listTrouble) err() error {
	switch {
	case t.damaged > 0:
		return failed(exitDamage, "the list says which; other points may be fine, 'vitrine verify' tells", "%s here that cannot be used: files are damaged", thereAre(t.damaged))
	case t.missing > 0:
		return failed(exitMissing, "put the missing files beside the others, or name their folder with --search", "%s here that cannot be used: files are missing", thereAre(t.missing))
	}
	return nil
}

func thereAre(n int64) string {
	if n == 1 {
		return "1 point is"
	}
	return plural(n, "point") + " are"
}

// listDir lists the sets of a folder, or the set that a file belongs to, with
// the members that lie in the folders of --search.
func (e *env) listDir(ctx context.Context, dir string) ([]*reader.Set, error) {
	sets, err := listDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, d := range e.search {
		more, err := reader.ScanDir(ctx, d)
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			addMembers(s, more)
		}
	}
	return sets, nil
}

// addMembers adds what other folders hold of the set.
func addMembers(s *reader.Set, more []*reader.Set) {
	for _, o := range more {
		if o.ID != s.ID {
			continue
		}
		for _, m := range o.Members {
			if !slices.ContainsFunc(s.Members, func(h reader.Member) bool { return h.UID == m.UID }) {
				s.Members = append(s.Members, m)
			}
		}
	}
	slices.SortStableFunc(s.Members, func(a, b reader.Member) int { return cmp.Compare(a.Number, b.Number) })
}

func listDir(ctx context.Context, dir string) ([]*reader.Set, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return reader.ScanDir(ctx, dir)
	}
	set, err := setOfFile(ctx, dir)
	if errors.Is(err, index.ErrNotMember) {
		return nil, notImage(dir, err)
	}
	return []*reader.Set{set}, err
}

// setOfFile lists the set that a member's file belongs to.
func setOfFile(ctx context.Context, path string) (*reader.Set, error) {
	h, err := capture.Identify(path)
	sets, serr := reader.ScanDir(ctx, filepath.Dir(path))
	for _, s := range sets {
		if h != nil && s.ID == h.Set || h == nil && hasFile(s, path) {
			return s, nil
		}
	}
	return nil, cmp.Or(err, serr, at(path, fs.ErrNotExist))
}

// hasFile tells whether path is a file of the set.
func hasFile(s *reader.Set, path string) bool {
	st, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(s.Members, func(m reader.Member) bool {
		return slices.ContainsFunc(m.Parts, func(p string) bool {
			ps, err := os.Stat(p)
			return err == nil && os.SameFile(st, ps)
		})
	})
}

// memberObject is a member in --json. Sizes are bytes.
type memberObject struct {
	Number  uint32   `json:"number"`
	Kind    string   `json:"kind,omitempty"`
	State   string   `json:"state"` // ok, being written, unfinished, damaged, part missing, parent missing
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
	Lacks   []uint32 `json:"needs_missing,omitempty"` // members that the point needs and that are not here
	Hidden  bool     `json:"hidden,omitempty"`        // another member has the same number, and @NUMBER means that one
	Rescued *uint32  `json:"rescued_by,omitempty"`    // of an unfinished member: the salvage that shows what it holds
	meta    *index.Meta
	needs   []string // of a salvage: the UIDs of its ancestors
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
	here := map[index.UID]bool{}
	for i := range s.Members {
		here[s.Members[i].UID] = s.Members[i].Err == nil
	}
	for i := range s.Members {
		m := newMemberObject(&s.Members[i], here)
		o.Members = append(o.Members, m)
		o.Size += m.Size
	}
	o.markRescued()
	o.markHidden(s)
	return o
}

// markHidden finds members that share their number with another: captures into
// different folders, which were joined later. The newest in the set's folder is
// the one that the number means.
func (o *setObject) markHidden(s *reader.Set) {
	meant := map[uint32]int{}
	for i := range s.Members {
		m := &s.Members[i]
		if was, ok := meant[m.Number]; m.Finished && filepath.Dir(m.Path) == filepath.Clean(s.Dir) && (!ok || m.Created > s.Members[was].Created) {
			meant[m.Number] = i
		}
	}
	for i := range s.Members {
		is, ok := meant[s.Members[i].Number]
		o.Members[i].Hidden = ok && is != i && s.Members[i].Finished
	}
}

// markRescued finds the unfinished members that a salvage shows.
func (o *setObject) markRescued() {
	for i := range o.Members {
		for k := range o.Members {
			u, s := &o.Members[i], &o.Members[k]
			if u.State == "unfinished" && s.Kind == index.Salvage.String() && slices.Contains(s.needs, u.UID) {
				u.Rescued = &s.Number
			}
		}
	}
}

func newMemberObject(m *reader.Member, here map[index.UID]bool) memberObject {
	o := memberObject{Number: m.Number, State: memberState(m), Path: m.Path, Parts: m.Parts, Size: m.Size}
	if m.Err != nil {
		o.Error = oneLine(m.Err.Error())
	}
	if m.Kind == 0 { // the header could not be read
		return o
	}
	o.Kind, o.UID, o.Created = m.Kind.String(), m.UID.String(), iso(m.Time())
	if m.ParentNumber != index.NoParent {
		o.Parent = &m.ParentNumber
	}
	if m.Usable() {
		o.Root = m.Root.String()
		o.addMeta(m, here)
	}
	return o
}

// tailOf reads a member's end.
func tailOf(m *reader.Member) (*index.Tail, error) {
	f, err := os.Open(m.Parts[len(m.Parts)-1])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return index.ReadTail(f, info.Size())
}

// addMeta reads what only the member's end tells; here are the members that
// there are, nil when that is of no interest. Where it cannot, the rest
// still stands.
func (o *memberObject) addMeta(m *reader.Member, here map[index.UID]bool) {
	t, err := tailOf(m)
	if err != nil {
		o.State, o.Error = "damaged", oneLine(err.Error())
		return
	}
	for i := range t.Members {
		a := &t.Members[i]
		if a != t.Self && m.Kind == index.Salvage {
			o.needs = append(o.needs, a.UID.String())
		}
		if here != nil && a != t.Self && !here[a.UID] {
			o.State, o.Lacks = "parent missing", append(o.Lacks, a.Number)
		}
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
	case !m.Finished && filelock.Held(m.Path):
		return "being written"
	case !m.Finished:
		return "unfinished"
	}
	return "ok"
}

// straysObject are files of a folder, in --json, that belong to no set.
type straysObject struct {
	Dir   string        `json:"dir"`
	Files []strayObject `json:"files"`
}

// strayObject is a file that is named like a member. Sizes are bytes.
type strayObject struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	State string `json:"state"` // no image, damaged
	Error string `json:"error"`
}

// printStrays lists files of which nothing tells a set: those that are no images
// at all, which is no trouble, and those that are damaged.
func (e *env) printStrays(s *reader.Set, bad *listTrouble) error {
	o := straysObject{Dir: s.Dir}
	t := newTable("FILE", ">SIZE", "WHAT IT IS")
	for i := range s.Members {
		m := &s.Members[i]
		f := strayObject{m.Path, m.Size, "no image", oneLine(m.Err.Error())}
		what := "not a Vitrine image"
		if !errors.Is(m.Err, index.ErrNotMember) {
			bad.damaged++
			f.State, what = "damaged", "DAMAGED: "+f.Error
		}
		o.Files = append(o.Files, f)
		t.row(printable(filepath.Base(m.Path)), size(m.Size), what)
	}
	if e.json {
		e.emit("strays", o)
		return nil
	}
	fmt.Fprintf(e.Out, "%s in %s that no set is known of\n", plural(int64(len(o.Files)), "file"), printable(s.Dir))
	return t.print(e.Out)
}

func (e *env) printSet(s *reader.Set, bad *listTrouble) error {
	if s.ID == (index.ImageID{}) {
		return e.printStrays(s, bad)
	}
	o := newSetObject(s)
	for i := range o.Members {
		bad.count(&o.Members[i])
	}
	if e.json {
		e.emit("set", o)
		return nil
	}
	fmt.Fprintf(e.Out, "%s  %s, %s", printable(s.Prefix+o.ID), plural(int64(len(o.Members)), "member"), size(o.Size))
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

// numbers lists members, the first few of many.
func numbers(list []uint32) string {
	const most = 5
	var words []string
	for i, n := range list {
		if i == most {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(list)-most)
		}
		words = append(words, fmt.Sprint(n))
	}
	return strings.Join(words, ", ")
}

// commentWord is the comment, with what is wrong in front of it.
func commentWord(m memberObject) string {
	var words []string
	switch {
	case m.Rescued != nil:
		words = append(words, fmt.Sprintf("unfinished; point %d shows what it holds, keep it", *m.Rescued))
	case m.State == "being written":
		words = append(words, "BEING WRITTEN")
	case m.State == "unfinished":
		words = append(words, "UNFINISHED (vitrine rescue salvages it)")
	case len(m.Lacks) > 0:
		words = append(words, "NEEDS "+numbers(m.Lacks)+", NOT HERE")
	case m.State != "ok":
		words = append(words, strings.ToUpper(m.State)+": "+m.Error)
	case m.NotRead > 0:
		words = append(words, size(m.NotRead)+" UNREADABLE")
	}
	if m.Kind == index.Salvage.String() {
		words = append(words, "NOT A CONSISTENT STATE")
	}
	if m.Hidden {
		words = append(words, fmt.Sprintf("@%d IS ANOTHER: name this one by its file, %s", m.Number, filepath.Base(m.Path)))
	}
	if m.Comment != "" {
		words = append(words, m.Comment)
	}
	return strings.Join(words, "  ")
}
