// Package elevate starts this program again with the rights of an
// administrator, which Windows asks the user for.
//
//	if elevate.Possible() {
//		code, err := elevate.Restart(os.Args[1:])
//	}
package elevate
