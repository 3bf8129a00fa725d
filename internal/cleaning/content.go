package cleaning

import (
	"bytes"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// bsonValue is a BSON value as stored in a document; the zero value stands for
// none.
type bsonValue struct {
	kind bsoncore.Type
	data []byte
}

func (v bsonValue) equal(other bsonValue) bool {
	return v.kind == other.kind && bytes.Equal(v.data, other.data)
}

func (v bsonValue) value() bson.RawValue {
	return bson.RawValue{Type: bson.Type(v.kind), Value: v.data}
}

// content is a document split into its parts.
type content struct {
	fields    []bsonValue // by field
	originals []bsonValue // by column
	facets    bsonValue
	quality   bsonValue
	source    bsonValue
	strange   []stranger // what the spec does not know
}

// stranger is a value at a path that is not of the spec, or of a field that it
// drops.
type stranger struct {
	group, name []byte
	bsonValue
}

// isOpen reports whether facets.open is there and has this value.
func (d *content) isOpen(open bool) bool {
	if d.facets.kind != bsoncore.TypeEmbeddedDocument {
		return false
	}
	found, ok := bsoncore.Document(d.facets.data).Lookup("open").BooleanOK()
	return ok && found == open
}

var errNotBSON = errors.New("not BSON")

// readDocument splits a document into d.
func (c *Cleaner) readDocument(d *content, doc []byte) error {
	if d.fields == nil {
		d.fields, d.originals = make([]bsonValue, len(c.fields)), make([]bsonValue, len(c.names))
	}
	clear(d.fields)
	clear(d.originals)
	d.facets, d.quality, d.source, d.strange = bsonValue{}, bsonValue{}, bsonValue{}, d.strange[:0]
	return eachElement(doc, func(name []byte, v bsonValue) error {
		switch string(name) {
		case "_id":
			return nil
		case "facets":
			d.facets = v
			return nil
		case "quality":
			d.quality = v
			return nil
		case "source":
			d.source = v
			if v.kind != bsoncore.TypeEmbeddedDocument {
				return nil
			}
			return eachElement(v.data, func(column []byte, v bsonValue) error {
				if i, ok := c.columns[string(column)]; ok {
					d.originals[i] = v
				}
				return nil
			})
		}
		if i, ok := c.paths[string(name)]; ok {
			d.fields[i] = v
			return nil
		}
		if v.kind != bsoncore.TypeEmbeddedDocument {
			d.strange = append(d.strange, stranger{name: name, bsonValue: v})
			return nil
		}
		var path [128]byte
		group := append(append(path[:0], name...), '.')
		return eachElement(v.data, func(leaf []byte, v bsonValue) error {
			if i, ok := c.paths[string(append(group, leaf...))]; ok {
				d.fields[i] = v
			} else {
				d.strange = append(d.strange, stranger{name, leaf, v})
			}
			return nil
		})
	})
}

// eachElement calls f for each element of a BSON document.
func eachElement(doc []byte, f func(name []byte, v bsonValue) error) error {
	size, rest, ok := bsoncore.ReadLength(doc)
	if !ok || int(size) != len(doc) || size < 5 || doc[size-1] != 0 {
		return errNotBSON
	}
	rest = rest[:len(rest)-1]
	for len(rest) > 0 {
		kind := bsoncore.Type(rest[0])
		name, after, ok := bsoncore.ReadKeyBytes(rest[1:])
		if !ok {
			return errNotBSON
		}
		v, after, ok := bsoncore.ReadValue(after, kind)
		if !ok {
			return errNotBSON
		}
		if err := f(name, bsonValue{kind, v.Data}); err != nil {
			return err
		}
		rest = after
	}
	return nil
}
