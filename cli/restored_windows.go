package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"vitrine/device"
	"vitrine/restore"
)

// settle does what Windows needs after a restore to a disk or volume: letters,
// and boot records that name the partition as it is now. What fails is told; the
// data is restored all the same.
func (e *env) settle(ctx context.Context, plan *restore.Plan, t *device.Target) {
	if !t.Fixed() {
		return
	}
	at, err := device.Letters(t.Path(), 15*time.Second)
	if err != nil {
		e.note(note{Path: t.Path(), Text: "letters: " + err.Error()})
	}
	if len(at) > 0 {
		e.say("its volumes are %s; 'chkdsk %s' has Windows check one", strings.Join(at, ", "), strings.TrimSuffix(at[0], `\`))
	}
	if plan.Source.Part != nil {
		e.settleBoot(ctx, plan, t)
	}
}

// settleBoot offers new boot records to a Windows whose partition is another
// than before.
func (e *env) settleBoot(ctx context.Context, plan *restore.Plan, t *device.Target) {
	w, err := device.FindInstallation(t.Path(), plan.Off)
	if err != nil {
		e.note(note{Path: t.Path(), Text: "boot records: " + err.Error()})
	}
	if w == nil || w.Same(plan.Source.Part.UniqueID, plan.Source.Disk.ID, plan.Source.Part.Offset) {
		return
	}
	if !e.InTerm || e.json || e.quiet {
		e.note(note{Path: w.Root, Text: "the Windows there has another partition than before; 'bcdboot " + w.Root + "Windows' writes boot records for it"})
		return
	}
	fmt.Fprintf(e.Err, "The Windows on %s has another partition than before and will not start as it is.\nHave bcdboot write new boot records to that disk? Write 'yes': ", w.Root)
	answer, _ := bufio.NewReader(e.In).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return
	}
	if err := w.Repair(ctx, e.Err); err != nil {
		e.note(note{Path: w.Root, Text: err.Error()})
	}
}
