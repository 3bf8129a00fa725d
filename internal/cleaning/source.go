package cleaning

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/dataset"
)

// Source rebuilds the row a document was made of: source column to JSON value, without white space and with the
// names of objects in order. Null and absent are the same. Volatile, ignored, dropped and silent columns are not in it.
func (c *Cleaner) Source(doc bson.Raw) (map[string]jsontext.Value, error) {
	var d content
	if err := c.readDocument(&d, doc); err != nil {
		return nil, err
	}
	row := make(map[string]jsontext.Value)
	for i := range c.fields {
		f := &c.fields[i]
		if f.copy >= 0 || f.silent {
			continue
		}
		values, err := f.rebuild(i, &d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		for j, column := range f.columns {
			if values[j] != nil {
				row[c.names[column]] = values[j]
			}
		}
	}
	return row, nil
}

// rebuild makes the values of the field's columns, nil for none: the originals where there are some, else the
// document's value, which is that of the first column, unaltered. i is the field's index.
func (f *field) rebuild(i int, d *content) ([]jsontext.Value, error) {
	values := make([]jsontext.Value, len(f.columns))
	original := false
	for j, column := range f.columns {
		v := d.originals[column]
		if v.kind == 0 {
			continue
		}
		original = true
		var err error
		if values[j], err = originalJSON(v.value()); err != nil {
			return nil, fmt.Errorf("original: %w", err)
		}
	}
	if original || d.fields[i].kind == 0 {
		return values, nil
	}
	var err error
	values[0], err = f.portalJSON(d.fields[i].value())
	return values, err
}

func originalJSON(v bson.RawValue) (jsontext.Value, error) {
	switch v.Type {
	case bson.TypeString:
		if text, ok := v.StringValueOK(); ok {
			return jsontext.AppendQuote(nil, text)
		}
	case bson.TypeBoolean:
		return fmt.Appendf(nil, "%t", v.Boolean()), nil
	case bson.TypeEmbeddedDocument:
		if text, ok := v.Document().Lookup("json").StringValueOK(); ok {
			return jsontext.Value(text), nil
		}
	default:
	}
	return nil, fmt.Errorf("unexpected %s", v.Type)
}

// portalJSON writes an unaltered value as the portal does.
func (f *field) portalJSON(v bson.RawValue) (jsontext.Value, error) {
	text, isText := v.StringValueOK()
	switch {
	case f.Type == dataset.Text && isText:
		return jsontext.AppendQuote(nil, text)
	case f.Type == dataset.Date && v.Type == bson.TypeDateTime:
		return jsontext.AppendQuote(nil, time.UnixMilli(v.DateTime()).UTC().Format(portalDate))
	case f.Type == dataset.Bool && v.Type == bson.TypeBoolean:
		return fmt.Appendf(nil, "%t", v.Boolean()), nil
	case f.Type == dataset.Marker && v.Type == bson.TypeBoolean:
		return jsontext.AppendQuote(nil, f.Marker)
	case f.Type == dataset.Number && v.Type == bson.TypeDouble:
		return jsontext.AppendQuote(nil, appendCoordinate(nil, v.Double()))
	case f.Type == dataset.Number && (v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64):
		return jsontext.AppendQuote(nil, fmt.Sprint(v.AsInt64()))
	case f.Type == dataset.Point && v.Type == bson.TypeEmbeddedDocument:
		lon, okLon := v.Document().Lookup("coordinates", "0").DoubleOK()
		lat, okLat := v.Document().Lookup("coordinates", "1").DoubleOK()
		if okLon && okLat {
			json := append(appendCoordinate([]byte(`{"coordinates":[`), lon), ',')
			return append(appendCoordinate(json, lat), `],"type":"Point"}`...), nil
		}
	}
	return nil, fmt.Errorf("unexpected %s in a field of type %s", v.Type, f.Type)
}

// bsonValue is a BSON value as it lies in a document; the zero value is none.
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

// content is a document taken apart.
type content struct {
	fields    []bsonValue // by field
	originals []bsonValue // by column
	facets    bsonValue
	quality   bsonValue
	source    bsonValue
	strange   []stranger // what the spec does not know
}

// stranger is a value at a path that is not of the spec, or of a field that it drops.
type stranger struct {
	group, name []byte
	bsonValue
}

// isOpen says whether facets.open is there and has this value.
func (d *content) isOpen(open bool) bool {
	if d.facets.kind != bsoncore.TypeEmbeddedDocument {
		return false
	}
	found, ok := bsoncore.Document(d.facets.data).Lookup("open").BooleanOK()
	return ok && found == open
}

var errNotBSON = errors.New("not BSON")

// readDocument takes a document apart into d.
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
