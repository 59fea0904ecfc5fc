package check

// budget is how much may still be read, or followed, of things that in a sound volume
// have room for themselves, so that together they have an end; on a hostile one they
// share it.
type budget int64

// take tells whether there is room for n; otherwise nothing is left for what comes
// later.
func (b *budget) take(n int64) bool {
	if int64(*b) < n {
		*b = 0
		return false
	}
	*b -= budget(max(0, n))
	return true
}
