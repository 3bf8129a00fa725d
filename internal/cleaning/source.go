package cleaning

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// Source rebuilds the row that a document was made of: the JSON value of each
// source column, without white space and with the names of objects sorted. Null
// and absent are the same. Volatile, ignored, dropped and untracked columns are
// left out. The error says that doc is not BSON or that this spec did not make
// it.
func (c *Cleaner) Source(doc bson.Raw) (map[string]jsontext.Value, error) {
	var d content
	if err := c.readDocument(&d, doc); err != nil {
		return nil, err
	}
	row := make(map[string]jsontext.Value)
	for i := range c.fields {
		f := &c.fields[i]
		if f.copy >= 0 || f.untracked {
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

// rebuild returns the values of the field's columns, nil for none: the
// originals where there are any, else the document's value for the first
// column. i is the field's index.
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
