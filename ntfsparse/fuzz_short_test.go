//go:build !long

package ntfsparse

const (
	damageSeed   = 1
	damageRounds = 100
	sectorStep   = 11 // of the sectors that are made unreadable
)
