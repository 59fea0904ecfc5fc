// Package mounttest is one conformance suite for trees and their drivers. Every
// test compares with a [volume.FileSystem] as the truth: an [FS] in memory, with
// everything in it that a volume may hold, or a real volume.
//
// A mount must be looked at from another process than the one that serves it;
// [Serve] and [Main] start the test program once more for that.
package mounttest
