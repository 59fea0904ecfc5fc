//go:build long

package ntfsparse

const (
	damageSeed   = 2
	damageRounds = 5000
	sectorStep   = 1
)
