package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"vitrine/index"
	"vitrine/mount"
	"vitrine/reader"
	"vitrine/volume"
)

// Completion of the shell: of images their files and folders, behind "@" their
// points, behind ":" their partitions and what is in them. It is quick or gives
// up, and it never says what is wrong: that is the command's to do.

const (
	completeTime    = 2 * time.Second        // for all of it
	completeComment = 300 * time.Millisecond // for the points' comments
	completeMost    = 500                    // candidates
)

// completion is what an argument of a command names.
type completion uint8

const (
	argImage completion = iota // IMAGE
	argPart                    // IMAGE[:N]
	argPath                    // IMAGE[:N][:PATH]
	argFile                    // a member's file, finished or not
	argFolder
	argMounted
)

// completions tell what each command's arguments are; the last one stands for
// all that follow.
var completions = map[string][]completion{
	"list": {argFolder}, "info": {argImage}, "verify": {argImage}, "boot": {argImage}, "rescue": {argFile},
	"ls": {argPath}, "tree": {argPath}, "find": {argPath}, "cat": {argPath}, "stat": {argPath},
	"cp": {argPath}, "versions": {argPath}, "diff": {argPath},
	"mount": {argPart, argFolder}, "open": {argPart}, "attach": {argPart}, "check": {argPart},
	"nbd": {argPart}, "iscsi": {argPart}, "unmount": {argMounted}, "detach": {argMounted},
}

// addCompletions gives the commands below c their completion.
func addCompletions(c *cobra.Command, e *env) {
	for _, sub := range c.Commands() {
		if kinds := completions[sub.Name()]; kinds != nil {
			sub.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return e.complete(c, kinds[min(len(args), len(kinds)-1)], typed)
			}
		}
		addCompletions(sub, e)
		switch sub.Name() {
		case "capture":
			sub.RegisterFlagCompletionFunc("onto", func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return e.complete(c, argImage, typed)
			})
			sub.MarkFlagDirname("output")
		case "restore":
			sub.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveDefault
				}
				return e.complete(c, argPart, typed)
			}
		}
	}
}

// complete gives the candidates for what was typed, within completeTime.
func (e *env) complete(c *cobra.Command, kind completion, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if f := c.Flags().Lookup("device"); f != nil && f.Changed {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if kind == argFolder {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	parent := c.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTime)
	defer cancel()
	quiet := &env{Streams: e.Streams, quiet: true, search: e.search}
	done := make(chan []cobra.Completion, 1)
	go func() { done <- quiet.candidates(ctx, kind, typed) }()
	select {
	case list := <-done:
		return list, directive(list, kind)
	case <-ctx.Done(): // a disk or server that does not answer
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// directive keeps the shell from ending a word that can go on.
func directive(list []cobra.Completion, kind completion) cobra.ShellCompDirective {
	d := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	for _, c := range list {
		word, _, _ := strings.Cut(c, "\t")
		if strings.HasSuffix(word, "/") || strings.HasSuffix(word, ":") || kind == argPath && !strings.Contains(word, ":/") {
			return d | cobra.ShellCompDirectiveNoSpace
		}
	}
	return d
}

func (e *env) candidates(ctx context.Context, kind completion, typed string) (list []cobra.Completion) {
	switch {
	case kind == argMounted:
		return completeMounts(typed)
	case kind == argFile:
		return completeFiles(typed)
	case kind == argPath && parseImage(typed, onWindows).Path != "":
		return e.completePath(ctx, typed)
	}
	if i := strings.LastIndexByte(typed, ':'); i > 0 && kind != argImage {
		list = e.completePart(ctx, typed[:i], typed[i+1:], kind == argPath)
	}
	if i := strings.LastIndexByte(typed, '@'); i > 0 && len(list) == 0 {
		list = e.completePoint(ctx, typed[:i], typed[i+1:])
	}
	if len(list) == 0 {
		list = completeFiles(typed)
	}
	if len(list) == 1 && list[0] == typed && kind == argPath {
		return []cobra.Completion{typed + ":/"}
	}
	return list
}

// completeFiles gives the folders and members' files that begin with typed.
func completeFiles(typed string) (list []cobra.Completion) {
	dir, name := filepath.Split(typed)
	entries, _ := os.ReadDir(cmp.Or(dir, "."))
	for _, en := range entries {
		switch {
		case !strings.HasPrefix(en.Name(), name) || name == "" && en.Name()[0] == '.':
		case isFolder(dir, en):
			list = append(list, dir+en.Name()+string(filepath.Separator))
		case strings.HasSuffix(en.Name(), index.Suffix), strings.HasSuffix(en.Name(), index.UnfinishedSuffix):
			list = append(list, dir+en.Name())
		}
		if len(list) == completeMost {
			break
		}
	}
	return list
}

func isFolder(dir string, en os.DirEntry) bool {
	if en.Type()&os.ModeSymlink == 0 {
		return en.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, en.Name()))
	return err == nil && info.IsDir()
}

func completeMounts(typed string) (list []cobra.Completion) {
	mounts, _ := mount.Mounts()
	for _, m := range mounts {
		if at := cmp.Or(m.Device, m.Dir); at != "" && strings.HasPrefix(at, typed) {
			list = append(list, cobra.CompletionWithDesc(at, printable(m.Image)))
		}
	}
	return list
}

// completePoint gives the points of an image, the newest first: their numbers, or
// their times when one is being typed.
func (e *env) completePoint(ctx context.Context, image, typed string) (list []cobra.Completion) {
	path, err := e.anyPoint(ctx, imageRef{Image: image})
	if err != nil {
		return nil
	}
	set, err := setOfFile(ctx, path)
	if err != nil {
		return nil
	}
	comments := time.Now().Add(completeComment)
	byTime, last := strings.Contains(typed, "-"), ""
	for _, m := range slices.Backward(set.Members) {
		word := strconv.FormatUint(uint64(m.Number), 10)
		if byTime {
			word = m.Time().Format("2006-01-02T15:04:05")
		}
		if !m.Usable() || !strings.HasPrefix(word, typed) || word == last {
			continue
		}
		last = word
		about := stamp(m.Time())
		if time.Now().Before(comments) {
			o := memberObject{}
			o.addMeta(&m, nil)
			about = strings.TrimSpace(about + "  " + printable(o.Comment))
		}
		if list = append(list, cobra.CompletionWithDesc(image+"@"+word, about)); len(list) == completeMost {
			break
		}
	}
	if len(list) > 0 && strings.HasPrefix("latest", typed) {
		list = append(list, cobra.CompletionWithDesc(image+"@latest", "the newest"))
	}
	return list
}

// completePart gives the partitions of an image, and the root where paths may
// follow.
func (e *env) completePart(ctx context.Context, image, typed string, paths bool) (list []cobra.Completion) {
	ref := parseImage(image, onWindows)
	if ref.Part == 0 && strings.Trim(typed, "0123456789") != "" {
		return nil
	}
	p, err := e.point(ctx, ref, reader.Options{NoReadAhead: true})
	if err != nil {
		return nil
	}
	defer p.Close()
	if paths && typed == "" {
		list = append(list, image+":/")
	}
	for _, d := range p.Meta().Disks {
		for _, pt := range d.Partitions {
			if n := strconv.Itoa(pt.Number); ref.Part == 0 && strings.HasPrefix(n, typed) {
				list = append(list, cobra.CompletionWithDesc(image+":"+n, partWords(&pt)))
			}
		}
	}
	return list
}

// partWords is a partition in a few words.
func partWords(p *index.Partition) string {
	var words []string
	for _, w := range []string{p.FS, printable(p.Label), size(p.Size)} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

// completePath gives what is in the image and begins with the path typed.
func (e *env) completePath(ctx context.Context, typed string) (list []cobra.Completion) {
	ref := parseImage(typed, onWindows)
	cut := strings.LastIndexByte(ref.Path, '/') + 1
	dir, name := ref.Path[:cut], ref.Path[cut:]
	ref.Path = dir
	places := &places{ctx: ctx, shelves: map[string]*shelf{}}
	defer places.close()
	p, err := e.place(ctx, places, ref, false)
	if err != nil {
		return nil
	}
	at, err := p.find(ctx, dir, true)
	if err != nil || at.attr.Kind != volume.Dir {
		return nil
	}
	stem := strings.TrimSuffix(typed, name)
	p.fs.ReadDir(ctx, at.attr.ID, 0, false, func(en *volume.Entry) bool {
		switch {
		case !strings.HasPrefix(en.Name, name) || printable(en.Name) != en.Name:
		case en.Kind == volume.Dir:
			list = append(list, stem+en.Name+"/")
		default:
			list = append(list, stem+en.Name)
		}
		return len(list) < completeMost && ctx.Err() == nil
	})
	slices.Sort(list)
	return list
}

// bashAt makes cobra's script for bash take "@" for a part of a word, as it takes
// ":" and "=": bash itself ends words there.
func bashAt(script string) string {
	return strings.NewReplacer(
		"_init_completion -n =: ", "_init_completion -n =:@ ",
		"    __vitrine_handle_special_char \"$cur\" :\n    __vitrine_handle_special_char \"$cur\" =\n", "    __vitrine_trim_words\n",
		"__vitrine_handle_special_char()\n", bashTrim+"\n__vitrine_handle_special_char()\n").Replace(script)
}

// bashTrim takes off the candidates what stands in front of the last character at
// which bash ends words: it replaces only what is behind.
const bashTrim = `__vitrine_trim_words()
{
    local breaks="" char idx
    for char in : = @; do
        [[ "$COMP_WORDBREAKS" == *"$char"* ]] && breaks+=$char
    done
    [[ -n $breaks && "$cur" == *["$breaks"]* ]] || return 0
    local word=${cur%"${cur##*["$breaks"]}"}
    for idx in "${!COMPREPLY[@]}"; do
        COMPREPLY[idx]=${COMPREPLY[idx]#"$word"}
    done
}
`

// wrapBash has 'completion bash' print the script that bashAt makes.
func wrapBash(root *cobra.Command, e *env) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion", "bash"})
	if err != nil {
		return
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var b strings.Builder
		plain, _ := c.Flags().GetBool("no-descriptions")
		if err := root.GenBashCompletionV2(&b, !plain); err != nil {
			return err
		}
		_, err := fmt.Fprint(e.Out, bashAt(b.String()))
		return err
	}
}
