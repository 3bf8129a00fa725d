package lineage

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Digest stands for a set of rows: the sum, modulo 2^256, of the SHA-256 of
// each row's key, a zero byte and its hash. The order of the rows does not
// matter and parts add up, so that ranges can be summed apart and a change of
// a few rows costs only those. The zero value is the empty set. It guards
// against faults, not against somebody who chooses rows to make sums meet.
type Digest [sha256.Size]byte

// Add puts a row into the set.
func (d *Digest) Add(key string, hash [HashSize]byte) { d.Merge(digestOf(key, hash)) }

// Sub takes a row out of the set.
func (d *Digest) Sub(key string, hash [HashSize]byte) { d.Take(digestOf(key, hash)) }

// Merge puts the rows of another set in.
func (d *Digest) Merge(other Digest) {
	var carry uint64
	for i := len(d) - 8; i >= 0; i -= 8 {
		var sum uint64
		sum, carry = bits.Add64(binary.BigEndian.Uint64(d[i:]), binary.BigEndian.Uint64(other[i:]), carry)
		binary.BigEndian.PutUint64(d[i:], sum)
	}
}

// Take takes the rows of another set out.
func (d *Digest) Take(other Digest) {
	var borrow uint64
	for i := len(d) - 8; i >= 0; i -= 8 {
		var diff uint64
		diff, borrow = bits.Sub64(binary.BigEndian.Uint64(d[i:]), binary.BigEndian.Uint64(other[i:]), borrow)
		binary.BigEndian.PutUint64(d[i:], diff)
	}
}

// digestOf is the set of one row.
func digestOf(key string, hash [HashSize]byte) Digest {
	// Keys are short: this stays on the stack.
	buf := append(make([]byte, 0, 128), key...)
	buf = append(buf, 0)
	return sha256.Sum256(append(buf, hash[:]...))
}

// String is the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what String wrote. An empty text is the empty set: records
// may lack a digest.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if s == "" {
		return d, nil
	}
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(d) {
		return Digest{}, fmt.Errorf("digest %q is not %d hex digits", s, 2*len(d))
	}
	copy(d[:], raw)
	return d, nil
}

// MarshalText makes it hex in JSON.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// MarshalBSONValue makes it a hex string in BSON.
func (d Digest) MarshalBSONValue() (byte, []byte, error) {
	kind, value, err := bson.MarshalValue(d.String())
	return byte(kind), value, err
}

// UnmarshalBSONValue reads what MarshalBSONValue wrote.
func (d *Digest) UnmarshalBSONValue(kind byte, value []byte) (err error) {
	text, ok := bson.RawValue{Type: bson.Type(kind), Value: value}.StringValueOK()
	if !ok {
		return fmt.Errorf("digest is %s and no string", bson.Type(kind))
	}
	*d, err = ParseDigest(text)
	return err
}
