package check

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"vitrine/internal/testvol"
)

// TestFreshVolumes checks what mkntfs makes, of every geometry, empty and with
// some files.
func TestFreshVolumes(t *testing.T) {
	for _, g := range []struct{ sector, cluster int }{
		{512, 512}, {512, 1024}, {512, 4096}, {512, 65536}, {512, 131072}, {512, 2 << 20},
		{1024, 4096}, {2048, 4096}, {4096, 4096}, {4096, 65536}, {4096, 2 << 20},
	} {
		t.Run(fmt.Sprintf("%d sector %d cluster", g.sector, g.cluster), func(t *testing.T) {
			img := testvol.Make(t, testvol.Options{Size: max(96<<20, int64(g.cluster)*900), Sector: g.sector, Cluster: g.cluster, Label: "fresh"})
			sound(t, judgedFile(t, img))
			testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 150, 1) })
			rep := judgedFile(t, img)
			sound(t, rep)
			if rep.Counts.Files < 150 || rep.Volume.Label != "fresh" {
				t.Errorf("%d files, label %q", rep.Counts.Files, rep.Volume.Label)
			}
		})
	}
}

func TestRichVolume(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 384 << 20})
	testvol.With(t, img, func(dir string) {
		testvol.Rich(t, dir)
		testvol.StaleIndex(t, dir, 2000)
	})
	// Mounted anew: ntfs-3g takes some of these files for links by now, and without
	// its plug-in those of wof, too; the kernel does not let files become links.
	testvol.With(t, img, func(dir string) {
		testvol.Fill(t, dir, 600, 2)
		testvol.Mutate(t, dir, 3)
		must(t, os.Mkdir(filepath.Join(dir, "wof"), 0o755))
		testvol.WOFSet(t, filepath.Join(dir, "wof"))
	})
	sound(t, judgedFile(t, img))
}

func TestWSLVolume(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) { furnishWSL(t, dir) }, "special_files=wsl,permissions")
	sound(t, judgedFile(t, img))
}

func TestFragmentedTable(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 48 << 20})
	testvol.With(t, img, func(dir string) { testvol.FragmentMFT(t, dir, 5000) })
	rep := judgedFile(t, img)
	sound(t, rep)
	if rep.Counts.Extensions == 0 {
		t.Error("the file table is not in pieces: the test does not test")
	}
}
