package export

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

type jsonWriter struct {
	w       io.Writer
	array   bool
	columns []Column // nil: whole documents
	buf     []byte
	written bool
}

func (j *jsonWriter) Write(doc bson.Raw) error {
	j.buf = j.buf[:0]
	switch {
	case j.array && !j.written:
		j.buf = append(j.buf, "[\n"...)
	case j.array:
		j.buf = append(j.buf, ",\n"...)
	}
	j.written = true
	var err error
	if j.columns == nil {
		j.buf, err = appendDocument(j.buf, "", doc)
	} else {
		j.buf, err = j.appendColumns(j.buf, doc)
	}
	if err != nil {
		return err
	}
	if !j.array {
		j.buf = append(j.buf, '\n')
	}
	_, err = j.w.Write(j.buf)
	return err
}

// appendColumns writes the chosen columns as a flat object.
func (j *jsonWriter) appendColumns(dst []byte, doc bson.Raw) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for _, c := range j.columns {
		v := c.lookup(doc)
		if v.Type == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = appendString(dst, c.Path); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = appendJSON(dst, c.Path, v); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func (*jsonWriter) Describe(string) {}

func (j *jsonWriter) Close() error {
	if !j.array {
		return nil
	}
	end := "\n]\n"
	if !j.written {
		end = "[]\n"
	}
	_, err := io.WriteString(j.w, end)
	return err
}

func appendString(dst []byte, s string) ([]byte, error) {
	raw, err := json.Marshal(s)
	return append(dst, raw...), err
}

func appendDocument(dst []byte, path string, doc bson.Raw) ([]byte, error) {
	elements, err := doc.Elements()
	if err != nil {
		return dst, fmt.Errorf("document: %w", err)
	}
	dst = append(dst, '{')
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendString(dst, e.Key()); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		below := e.Key()
		if path != "" {
			below = path + "." + below
		}
		if dst, err = appendJSON(dst, below, e.Value()); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// isMoment reports whether dates at a path are moments, not days.
func isMoment(path string) bool {
	return path == "at" || strings.HasPrefix(path, "lineage.")
}

// appendJSON writes the value at a path as plain JSON.
func appendJSON(dst []byte, path string, v bson.RawValue) ([]byte, error) {
	switch v.Type {
	case bson.TypeString:
		return appendString(dst, v.StringValue())
	case bson.TypeBoolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.AppendInt(dst, v.AsInt64(), 10), nil
	case bson.TypeDouble:
		raw, err := json.Marshal(v.Double())
		return append(dst, raw...), err
	case bson.TypeDateTime:
		kind := dataset.KindDate
		if isMoment(path) {
			kind = dataset.KindTime
		}
		return appendString(dst, timeText(kind, v.Time()))
	case bson.TypeBinary:
		_, data := v.Binary()
		return appendString(dst, hex.EncodeToString(data))
	case bson.TypeEmbeddedDocument:
		return appendDocument(dst, path, v.Document())
	case bson.TypeArray:
		values, err := v.Array().Values()
		if err != nil {
			return dst, fmt.Errorf("list at %s: %w", path, err)
		}
		dst = append(dst, '[')
		for i, item := range values {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendJSON(dst, path, item); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case bson.TypeNull:
		return append(dst, "null"...), nil
	default:
		return dst, fmt.Errorf("value at %s is of BSON type %s, which has no form in JSON", path, v.Type)
	}
}
