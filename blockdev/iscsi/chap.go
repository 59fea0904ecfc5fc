package iscsi

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// CHAP holds the names and secrets of a target. Windows wants secrets of 12 to
// 16 bytes.
type CHAP struct {
	User, Secret string
	// MutualUser and MutualSecret prove the target to initiators that ask.
	MutualUser, MutualSecret string
}

// Algorithms, RFC 7143 section 12.1.3 and IANA's list.
const (
	chapMD5    = 5
	chapSHA256 = 7
)

// chapState is a login's place in the exchange.
type chapState struct {
	algorithm int
	id        byte
	challenge []byte
}

// start chooses an algorithm from the initiator's list and makes a challenge.
func (s *chapState) start(list string) []pair {
	for a := range strings.SplitSeq(list, ",") {
		if n, _ := strconv.Atoi(a); n == chapMD5 || n == chapSHA256 {
			s.algorithm = n
			break
		}
	}
	if s.algorithm == 0 {
		return nil
	}
	b := make([]byte, 33)
	rand.Read(b)
	s.id, s.challenge = b[0], b[1:]
	return []pair{{"CHAP_A", strconv.Itoa(s.algorithm)}, {"CHAP_I", strconv.Itoa(int(s.id))}, {"CHAP_C", "0x" + hex.EncodeToString(s.challenge)}}
}

// hash is the response to a challenge: H(id, secret, challenge).
func (s *chapState) hash(id byte, secret string, challenge []byte) []byte {
	b := append([]byte{id}, secret...)
	b = append(b, challenge...)
	if s.algorithm == chapSHA256 {
		sum := sha256.Sum256(b)
		return sum[:]
	}
	sum := md5.Sum(b)
	return sum[:]
}

// check proves the initiator's answer and, if it asks, answers its challenge.
func (s *chapState) check(c *CHAP, keys map[string]string) (reply []pair, ok bool) {
	got, err := chapBytes(keys["CHAP_R"])
	want := s.hash(s.id, c.Secret, s.challenge)
	user := subtle.ConstantTimeCompare([]byte(keys["CHAP_N"]), []byte(c.User))
	if err != nil || s.challenge == nil || subtle.ConstantTimeCompare(got, want)&user == 0 {
		return nil, false
	}
	if _, asked := keys["CHAP_C"]; !asked {
		return nil, true
	}
	return s.prove(c, keys)
}

// prove answers the initiator's challenge. Its own challenge sent back would
// let it learn the answer to ours.
func (s *chapState) prove(c *CHAP, keys map[string]string) (reply []pair, ok bool) {
	id, err1 := strconv.ParseUint(keys["CHAP_I"], 0, 8)
	challenge, err2 := chapBytes(keys["CHAP_C"])
	mirrored := subtle.ConstantTimeCompare(challenge, s.challenge) == 1
	if err1 != nil || err2 != nil || len(challenge) == 0 || mirrored || c.MutualSecret == "" {
		return nil, false
	}
	r := s.hash(byte(id), c.MutualSecret, challenge)
	return []pair{{"CHAP_N", c.MutualUser}, {"CHAP_R", "0x" + hex.EncodeToString(r)}}, true
}

// chapBytes decodes a binary value of at most 1024 bytes: 0x… or 0b… (base 64).
func chapBytes(s string) ([]byte, error) {
	if len(s) > 2+2*1024 {
		return nil, errProtocol
	}
	switch {
	case len(s) > 2 && strings.EqualFold(s[:2], "0x"):
		return hex.DecodeString(strings.Repeat("0", len(s)%2) + s[2:])
	case len(s) > 2 && strings.EqualFold(s[:2], "0b"):
		return base64.StdEncoding.DecodeString(s[2:])
	}
	return nil, errProtocol
}
