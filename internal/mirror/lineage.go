package mirror

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
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
	return endDocument(dst, start), nil
}

// CanonicalOf appends the canonical document of a stored one to dst: the
// stored bytes without the field lineage and without quality.stale, from which
// its hash is computed. A quality that holds nothing else goes with it.
func CanonicalOf(dst []byte, stored bson.Raw) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := eachElement(stored, func(raw []byte, e element) error {
		switch {
		case string(e.name) == "lineage":
		case string(e.name) == "quality" && e.value.Type == bson.TypeEmbeddedDocument:
			return appendWithoutStale(&dst, raw, e.value.Value)
		default:
			dst = append(dst, raw...)
		}
		return nil
	})
	if err != nil {
		return dst[:start], fmt.Errorf("stored document: %w", err)
	}
	return endDocument(dst, start), nil
}

// appendWithoutStale appends the element quality without its stale, and not
// at all when that leaves nothing.
func appendWithoutStale(dst *[]byte, raw []byte, quality bson.Raw) error {
	before := len(*dst)
	header := raw[:len(raw)-len(quality)]
	b := append(*dst, header...)
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	err := eachElement(quality, func(raw []byte, e element) error {
		if string(e.name) != "stale" {
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
	*dst = endDocument(b, start)
	return nil
}

func endDocument(dst []byte, start int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// eachElement visits the elements of a document: their bytes, and what they
// are. It is bson.Raw's Elements without the list and without validation of
// values beyond their length.
func eachElement(doc bson.Raw, visit func(raw []byte, e element) error) error {
	if len(doc) < 5 || int(binary.LittleEndian.Uint32(doc)) != len(doc) || doc[len(doc)-1] != 0 {
		return fmt.Errorf("%d bytes are not BSON", len(doc))
	}
	rest := []byte(doc[4 : len(doc)-1])
	for len(rest) > 0 {
		kind, name, after, ok := readHeader(rest)
		if !ok {
			return errors.New("unreadable element")
		}
		value, after, ok := bsoncore.ReadValue(after, kind)
		if !ok {
			return fmt.Errorf("unreadable value of %q", name)
		}
		e := element{name: name, value: bson.RawValue{Type: bson.Type(value.Type), Value: value.Data}}
		if err := visit(rest[:len(rest)-len(after)], e); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// LineageOf reads the lineage of a stored document.
func LineageOf(stored bson.Raw) (Lineage, error) {
	var (
		l    Lineage
		have int
	)
	doc, ok := stored.Lookup("lineage").DocumentOK()
	if !ok {
		return l, errors.New("stored document has no lineage")
	}
	err := eachElement(doc, func(_ []byte, e element) error {
		var ok bool
		switch string(e.name) {
		case "hash":
			var hash []byte
			if _, hash, ok = e.value.BinaryOK(); ok && len(hash) == HashSize {
				copy(l.Hash[:], hash)
			} else {
				ok = false
			}
		case "version":
			l.Version, ok = e.value.Int32OK()
		case "run":
			l.Run, ok = e.value.StringValueOK()
		case "first_seen":
			l.FirstSeen, ok = e.value.TimeOK()
		case "changed_at":
			l.ChangedAt, ok = e.value.TimeOK()
		case "spec":
			l.Spec, ok = e.value.StringValueOK()
		default:
			return nil
		}
		if !ok {
			return fmt.Errorf("unexpected %s", e.name)
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
