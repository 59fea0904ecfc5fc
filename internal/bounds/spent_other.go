//go:build !unix

package bounds

import "time"

var begin = time.Now()

// Spent is the time since the process began.
func Spent() time.Duration { return time.Since(begin) }
