package cli

import "github.com/spf13/cobra"

// commands are all of the program's, in the order of the help.
func commands(e *env) []*cobra.Command {
	return []*cobra.Command{
		newCapture(e), newList(e), newInfo(e),
		newLs(e), newTree(e), newFind(e), newCat(e), newStat(e), newCp(e), newVersions(e), newDiff(e),
		newMount(e), newOpen(e), newUnmount(e), newMounts(e),
		newVerify(e), newCheck(e), newRestore(e), newRescue(e),
		newAttach(e), newDetach(e), newChkdsk(e), newBoot(e), newServe(e),
		newShell(e), newGUI(e), newVersion(e), newGuard(),
	}
}
