package cleaning

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// Source rebuilds the row a document was made of: source column to JSON value, without white space and with the
// names of objects in order. Null and absent are the same. Volatile, ignored and silent columns are not in it.
func (c *Cleaner) Source(doc bson.Raw) (map[string]jsontext.Value, error) {
	row := make(map[string]jsontext.Value)
	for i := range c.fields {
		f := &c.fields[i]
		if f.copy >= 0 || f.silent {
			continue
		}
		original := false
		for _, column := range f.columns {
			v, err := doc.LookupErr("source", c.names[column])
			if err != nil {
				continue // not altered
			}
			original = true
			if row[c.names[column]], err = originalJSON(v); err != nil {
				return nil, fmt.Errorf("source.%s: %w", c.names[column], err)
			}
		}
		if original {
			continue
		}
		v, err := doc.LookupErr(strings.Split(f.Path, ".")...)
		if err != nil {
			continue // absent
		}
		if row[c.names[f.columns[0]]], err = f.portalJSON(v); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return row, nil
}

func originalJSON(v bson.RawValue) (jsontext.Value, error) {
	switch v.Type {
	case bson.TypeString:
		return jsontext.AppendQuote(nil, v.StringValue())
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
	switch {
	case f.Type == dataset.Text && v.Type == bson.TypeString:
		return jsontext.AppendQuote(nil, v.StringValue())
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
