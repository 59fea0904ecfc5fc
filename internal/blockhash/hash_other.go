//go:build !amd64

package blockhash

// Available tells whether this processor can run Sum.
const Available = false

// Sum is for processors with AVX-512.
func Sum(*[Size]byte) [32]byte { panic("blockhash: this processor has no AVX-512") }
