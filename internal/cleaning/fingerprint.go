package cleaning

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"

	"padron/internal/dataset"
)

// rowHash is how many bytes of SHA-256 stand for a raw row in a fingerprint. Two
// rows meet only under one key: 16 bytes are beyond any chance.
const rowHash = 16

// fingerprints makes fingerprints: a hash of the raw row and of its document's
// hash, a bit for each mapped column that has no value in it, and a bit for each
// flag that it has. The hash is over the spec's digest as well, which covers the
// rules, so a fingerprint holds for the spec and the rules that it was made with
// and for no others. Nor does it hold with another document's hash: a stored hash
// that somebody changed is found out.
type fingerprints struct {
	seed    []byte // what the hash begins with
	key     []byte // how the key begins in a row: "ttxid":"
	none    []byte // the bits of a row with all columns and no flags
	missing int    // how many bytes of them are those of the columns
	hash    hash.Hash
	buf     []byte
}

func newFingerprints(spec *dataset.Spec, columns, flags []string) fingerprints {
	missing, raised := (len(columns)+7)/8, (len(flags)+7)/8
	return fingerprints{
		seed: []byte(spec.Digest()), key: []byte(`"` + spec.Key + `":"`), none: make([]byte, missing+raised), missing: missing,
		hash: sha256.New(), buf: make([]byte, 0, sha256.Size+missing+raised),
	}
}

// sum is the hash of a raw row and its document's, in buf.
func (p *fingerprints) sum(raw []byte, document [sha256.Size]byte) []byte {
	p.hash.Reset()
	_, _ = p.hash.Write(p.seed)
	_, _ = p.hash.Write(document[:])
	_, _ = p.hash.Write(raw)
	return p.hash.Sum(p.buf[:0])[:rowHash]
}

// fingerprint is that of the row just cleaned. A row has none whose document may
// be another one on another day, or that has columns of which only their rows are
// counted.
func (c *Cleaner) fingerprint(raw []byte, document [sha256.Size]byte) []byte {
	for i, end := range c.spec.Lifecycle.End {
		if v := c.values[c.plan.ends[i]]; end.Expires && v.kind == date && v.integer >= c.day {
			return nil
		}
	}
	if c.strange {
		return nil
	}
	all := append(c.prints.sum(raw, document), c.prints.none...)
	bits := all[rowHash:]
	for i := range c.cells {
		if c.cells[i].raw == nil {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	bits = bits[c.prints.missing:]
	for i, raised := range c.raised {
		if raised {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return all
}

// Pass reports whether a stored fingerprint is that of the raw row, and of a
// document with the hash that is stored with it. The row is then counted as if it
// had been cleaned.
func (c *Cleaner) Pass(raw, stored []byte, document [sha256.Size]byte) bool {
	if len(stored) != rowHash+len(c.prints.none) || !bytes.Equal(c.prints.sum(raw, document), stored[:rowHash]) {
		return false
	}
	c.rows++
	bits := stored[rowHash:]
	for i := range c.missing {
		c.missing[i] += int(bits[i/8] >> (i % 8) & 1)
	}
	bits = bits[c.prints.missing:]
	for i := range c.flagged {
		c.flagged[i] += int(bits[i/8] >> (i % 8) & 1)
	}
	return true
}

// KeyOf is the key of a raw row as far as it can be seen without reading the row:
// text without escapes. It may be that of an object within the row: only Clean
// knows. The text is part of raw.
func (c *Cleaner) KeyOf(raw []byte) ([]byte, bool) {
	_, rest, found := bytes.Cut(raw, c.prints.key)
	end := bytes.IndexByte(rest, '"')
	if !found || end <= 0 || slices.Contains(rest[:end], '\\') {
		return nil, false
	}
	return rest[:end], true
}
