//go:build long

package check

// agreeRounds is how many edits of each volume TestAgreement tries.
const agreeRounds = 6_000
