// Package wine runs Windows programs on Linux, for the tests of what Vitrine
// does on Windows: it makes Wine prefixes, builds programs of Go for them, and
// stand-ins for DLLs from C.
//
//	p, err := wine.Shared(ctx)                     // made when it is missing
//	out, err := p.Command(ctx, exe, "version").CombinedOutput()
//
// A test that changes the registry takes a [Prefix.Clone] of its own.
//
// Two things are missing in Wine 8 that programs of Go need; both are
// provided here, and the programs themselves are those that users get:
//
//   - bcryptprimitives.dll, from which the runtime takes its random numbers:
//     [forwarder] writes one that only points to advapi32.dll.
//   - Deleting a file with the semantics of POSIX. Go has a fallback for
//     systems that lack it, which Wine's answer does not trigger; [Overlay] makes
//     it the rule in the build.
package wine
