package iscsi

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Limits of negotiations.
const (
	maxText   = 64 << 10 // bytes of one request, its continuations included
	maxKeys   = 256
	maxKey    = 63 // bytes, section 6.1
	maxRounds = 32 // PDUs of one login
)

// pair is one key with its value.
type pair struct{ key, value string }

// parseText reads key=value pairs, each ended by a zero byte.
func parseText(b []byte) ([]pair, error) {
	var pairs []pair
	for _, line := range bytes.Split(bytes.TrimRight(b, "\x00"), []byte{0}) {
		if len(line) == 0 {
			continue
		}
		key, value, ok := strings.Cut(string(line), "=")
		if !ok || key == "" || len(key) > maxKey || len(pairs) == maxKeys {
			return nil, fmt.Errorf("%w: text %.40q", errProtocol, line)
		}
		pairs = append(pairs, pair{key, value})
	}
	return pairs, nil
}

func formatText(pairs []pair) []byte {
	var b []byte
	for _, p := range pairs {
		b = append(b, p.key...)
		b = append(b, '=')
		b = append(b, p.value...)
		b = append(b, 0)
	}
	return b
}

// params is the outcome of the operational negotiation, section 13. The zero
// value is not it: use newParams.
type params struct {
	digests   digests
	immediate bool
	maxSend   int // bytes of data in a PDU that the initiator takes
	burst     int // MaxBurstLength
	first     int // FirstBurstLength
}

// What this side offers.
const (
	maxReceive = 256 << 10
	maxBurst   = 1 << 20
	maxFirst   = 64 << 10
)

func newParams() params {
	return params{immediate: true, maxSend: 8192, burst: 262144, first: 65536}
}

// answer negotiates one key and returns the value to answer with; "" for keys
// that only declare something.
func (p *params) answer(key, value string) string {
	switch key {
	case "HeaderDigest":
		return choose(value, &p.digests.header)
	case "DataDigest":
		return choose(value, &p.digests.data)
	case "MaxRecvDataSegmentLength":
		return declare(value, 512, maxReceive, &p.maxSend)
	case "MaxBurstLength":
		return least(value, 512, maxBurst, &p.burst)
	case "FirstBurstLength":
		return least(value, 512, maxFirst, &p.first)
	case "ImmediateData":
		p.immediate = value == "Yes"
		return yesNo(p.immediate)
	case "InitialR2T", "DataPDUInOrder", "DataSequenceInOrder":
		return "Yes"
	case "MaxConnections", "MaxOutstandingR2T":
		return "1"
	case "ErrorRecoveryLevel", "DefaultTime2Retain":
		return "0"
	case "DefaultTime2Wait":
		wait := 2
		return most(value, wait)
	case "IFMarker", "OFMarker":
		return "No"
	case "IFMarkInt", "OFMarkInt":
		return "Irrelevant"
	case "TaskReporting":
		return "RFC3720"
	case "iSCSIProtocolLevel":
		return "1"
	}
	return "NotUnderstood"
}

// choose picks the first digest of a list that this side knows.
func choose(value string, on *bool) string {
	for v := range strings.SplitSeq(value, ",") {
		if v == "CRC32C" || v == "None" {
			*on = v == "CRC32C"
			return v
		}
	}
	return "Reject"
}

func number(value string, low, high int) (int, bool) {
	n, err := strconv.ParseInt(value, 0, 64)
	return int(n), err == nil && n >= int64(low) && n <= int64(high)
}

const most24 = 1<<24 - 1 // the largest length that the keys allow

// declare takes the other side's limit, cut to what this side uses at most.
func declare(value string, low, cap int, into *int) string {
	n, ok := number(value, low, most24)
	if !ok {
		return "Reject"
	}
	*into = min(n, cap)
	return ""
}

// least is for keys whose outcome is the smaller number.
func least(value string, low, own int, into *int) string {
	n, ok := number(value, low, most24)
	if !ok {
		return "Reject"
	}
	*into = min(n, own)
	return strconv.Itoa(*into)
}

func most(value string, own int) string {
	n, ok := number(value, 0, 3600)
	if !ok {
		return "Reject"
	}
	return strconv.Itoa(max(n, own))
}

func yesNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

func splitList(s string) []string { return strings.Split(s, ",") }
