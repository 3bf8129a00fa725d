package mirror

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// HashSize is the size in bytes of a document's hash: SHA-256 over its
// canonical BSON without lineage.
const HashSize = 32

// Lineage is where a document came from and how often it changed. It is the
// last field of every document in businesses.
type Lineage struct {
	Hash      [HashSize]byte // of the canonical document without this field
	Version   int32          // 1 when inserted, one more for every replacement
	Run       string         // run that wrote this version
	FirstSeen time.Time      // of the run that inserted version 1
	ChangedAt time.Time      // of the run that wrote this version
	Spec      string         // digest of the spec and rules that made it
}

// AppendWithLineage appends the canonical document doc, with lineage as its
// last field, to dst. The bytes of doc are copied as they are, so that
// hashing what is stored, lineage apart, gives the hash again. Times are kept
// to the millisecond, as BSON does.
func AppendWithLineage(dst []byte, doc bson.Raw, l *Lineage) ([]byte, error) {
	if len(doc) < 5 || int(binary.LittleEndian.Uint32(doc)) != len(doc) || doc[len(doc)-1] != 0 {
		return dst, fmt.Errorf("document of %d bytes is not BSON", len(doc))
	}
	start := len(dst)
	dst = append(dst, doc[:len(doc)-1]...)
	sub, dst := bsoncore.AppendDocumentElementStart(dst, "lineage")
	dst = bsoncore.AppendBinaryElement(dst, "hash", bson.TypeBinaryGeneric, l.Hash[:])
	dst = bsoncore.AppendInt32Element(dst, "version", l.Version)
	dst = bsoncore.AppendStringElement(dst, "run", l.Run)
	dst = bsoncore.AppendDateTimeElement(dst, "first_seen", l.FirstSeen.UnixMilli())
	dst = bsoncore.AppendDateTimeElement(dst, "changed_at", l.ChangedAt.UnixMilli())
	dst = bsoncore.AppendStringElement(dst, "spec", l.Spec)
	dst, err := bsoncore.AppendDocumentEnd(dst, sub)
	if err != nil {
		return dst[:start], err
	}
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst, nil
}

// CanonicalOf appends the canonical document of a stored one to dst: the
// stored bytes without the field lineage, from which its hash is computed.
func CanonicalOf(dst []byte, stored bson.Raw) ([]byte, error) {
	elements, err := stored.Elements()
	if err != nil {
		return dst, fmt.Errorf("stored document: %w", err)
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, e := range elements {
		if e.Key() != "lineage" {
			dst = append(dst, e...)
		}
	}
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst, nil
}
