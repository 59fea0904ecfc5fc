//go:build !long

package ntfsparse

const (
	damageSeed   = 1
	damageRounds = 100
)
