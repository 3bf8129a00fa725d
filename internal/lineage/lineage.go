package lineage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/mongodb"
)

// HashSize is the size in bytes of a document's hash: SHA-256 over its
// canonical BSON without lineage and quality.stale.
const HashSize = 32

// Lineage is where a document came from and how often it changed. It is the
// last field of every document in businesses.
type Lineage struct {
	Hash      [HashSize]byte // of the canonical document without this field
	Version   int32          // 1 when inserted, one more for every change event
	Run       string         // run that wrote this version
	FirstSeen time.Time      // of the run that inserted version 1
	ChangedAt time.Time      // of the run that wrote this version
	Spec      string         // digest of the spec and rules that made it
	// Row is the fingerprint of the portal's row that the document is of
	// (cleaning.Row), nil where there is none. It may be set anew without a new
	// version: the same document can be of a row in other words.
	Row []byte
}

// Append appends the canonical document doc, with lineage as its last field, to
// dst. The bytes of doc are copied as they are, so that the stored bytes
// without lineage have the same hash. Times are kept to the millisecond, as
// BSON does.
func Append(dst []byte, doc bson.Raw, l *Lineage) ([]byte, error) {
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
	if l.Row != nil {
		dst = bsoncore.AppendBinaryElement(dst, "row", bson.TypeBinaryGeneric, l.Row)
	}
	dst, err := bsoncore.AppendDocumentEnd(dst, sub)
	if err != nil {
		return dst[:start], err
	}
	return mongodb.EndDocument(dst, start), nil
}

// Canonical appends the canonical document of a stored one, over which its hash
// is computed, to dst: the stored bytes without the fields lineage and
// quality.stale. A quality without any other field is left out as a whole.
func Canonical(dst []byte, stored bson.Raw) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := mongodb.EachElement(stored, func(raw []byte, e mongodb.Element) error {
		switch {
		case string(e.Name) == "lineage":
		case string(e.Name) == "quality" && e.Value.Type == bson.TypeEmbeddedDocument:
			return appendWithoutStale(&dst, raw, e.Value.Value)
		default:
			dst = append(dst, raw...)
		}
		return nil
	})
	if err != nil {
		return dst[:start], fmt.Errorf("stored document: %w", err)
	}
	return mongodb.EndDocument(dst, start), nil
}

// appendWithoutStale appends the element quality without its stale, and not
// at all when that leaves nothing.
func appendWithoutStale(dst *[]byte, raw []byte, quality bson.Raw) error {
	before := len(*dst)
	header := raw[:len(raw)-len(quality)]
	b := append(*dst, header...)
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	err := mongodb.EachElement(quality, func(raw []byte, e mongodb.Element) error {
		if string(e.Name) != "stale" {
			b = append(b, raw...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(b) == start+4 {
		*dst = b[:before]
		return nil
	}
	*dst = mongodb.EndDocument(b, start)
	return nil
}

// Of reads the lineage of a stored document.
func Of(stored bson.Raw) (Lineage, error) {
	var (
		l    Lineage
		have int
	)
	doc, ok := stored.Lookup("lineage").DocumentOK()
	if !ok {
		return l, errors.New("stored document has no lineage")
	}
	err := mongodb.EachElement(doc, func(_ []byte, e mongodb.Element) error {
		var ok bool
		switch string(e.Name) {
		case "hash":
			var hash []byte
			if _, hash, ok = e.Value.BinaryOK(); ok && len(hash) == HashSize {
				copy(l.Hash[:], hash)
			} else {
				ok = false
			}
		case "version":
			l.Version, ok = e.Value.Int32OK()
		case "run":
			l.Run, ok = e.Value.StringValueOK()
		case "first_seen":
			l.FirstSeen, ok = e.Value.TimeOK()
		case "changed_at":
			l.ChangedAt, ok = e.Value.TimeOK()
		case "spec":
			l.Spec, ok = e.Value.StringValueOK()
		case "row":
			if _, row, isBinary := e.Value.BinaryOK(); isBinary {
				l.Row = bytes.Clone(row)
			}
			return nil
		default:
			return nil
		}
		if !ok {
			return fmt.Errorf("unexpected %s", e.Name)
		}
		have++
		return nil
	})
	if err == nil && have != 6 {
		err = fmt.Errorf("%d of 6 fields", have)
	}
	if err != nil {
		return l, fmt.Errorf("lineage of a stored document: %w", err)
	}
	l.FirstSeen, l.ChangedAt = l.FirstSeen.UTC(), l.ChangedAt.UTC()
	return l, nil
}
