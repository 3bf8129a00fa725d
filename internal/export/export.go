// Package export writes documents of the mirror as CSV, JSON or Parquet, one
// after another and in constant memory.
package export

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// Format is how documents are written.
type Format string

// The formats.
const (
	CSV     Format = "csv"     // a column for each value, RFC 4180 with LF, UTF-8 without BOM, with a header
	JSON    Format = "json"    // one array
	NDJSON  Format = "ndjson"  // one document to a line, as dataset.Spec.JSONSchema says
	Parquet Format = "parquet" // a column for each value, compressed with zstd
)

// Formats are all of them.
func Formats() []Format { return []Format{CSV, JSON, NDJSON, Parquet} }

// RowGroup is how many rows of a Parquet file belong together, at most. A writer
// holds as many in memory, and buffers for each column: with 46 columns 60 MB in
// all from the third group on, measured up to 368,000 rows.
const RowGroup = 20_000

// Column is a value of the document as a column of a table, under its path.
type Column struct {
	Path string
	Kind dataset.Kind
	// Coordinate is 1 and 2 for longitude and latitude of the point at Path less
	// its last name; 0 for any other value.
	Coordinate int
	// Own says that Padron computes the text: a spreadsheet that takes it for a
	// formula runs nothing that somebody registered.
	Own bool
}

// Columns are the columns of a dataset's documents. Sensitive ones are left
// out unless told otherwise, and what is of no use in a table always is: the
// originals, which have no fixed names, search tokens, copies and hashes.
func Columns(spec *dataset.Spec, sensitive bool) []Column {
	var columns []Column
	for _, e := range spec.Dictionary() {
		f, isField := spec.Field(e.Path)
		switch {
		case e.Sensitive && !sensitive, isField && f.Copy != "":
		case e.Kind == dataset.KindObject, e.Kind == dataset.KindBinary, e.Path == "facets.tokens":
		case e.Kind == dataset.KindPoint:
			columns = append(columns,
				Column{Path: e.Path + ".longitude", Kind: dataset.KindNumber, Coordinate: 1},
				Column{Path: e.Path + ".latitude", Kind: dataset.KindNumber, Coordinate: 2})
		default:
			// Cells of the map west of their origin begin with a minus.
			columns = append(columns, Column{Path: e.Path, Kind: e.Kind, Own: e.Path == "facets.cell"})
		}
	}
	return columns
}

// EventColumns are the columns of change events. What changed in fields is JSON.
func EventColumns() []Column {
	return []Column{
		{Path: "key", Kind: dataset.KindString},
		{Path: "version", Kind: dataset.KindInteger},
		{Path: "at", Kind: dataset.KindTime},
		{Path: "kinds", Kind: dataset.KindStrings},
		{Path: "cause", Kind: dataset.KindString},
		{Path: "run", Kind: dataset.KindString},
		{Path: "fields", Kind: dataset.KindObject},
	}
}

// CountColumns are the columns of the counts of snapshots: a row for each
// snapshot and value of a dimension, and one for all of the snapshot's rows,
// whose dimension is "all".
func CountColumns() []Column {
	return []Column{
		{Path: "snapshot", Kind: dataset.KindString},
		{Path: "as_of", Kind: dataset.KindDate},
		{Path: "basis", Kind: dataset.KindString},
		{Path: "outcome", Kind: dataset.KindString},
		{Path: "run", Kind: dataset.KindString},
		{Path: "provisional", Kind: dataset.KindBool},
		{Path: "survivors_only", Kind: dataset.KindBool},
		{Path: "dimension", Kind: dataset.KindString},
		{Path: "name", Kind: dataset.KindString}, // absent: of rows without a value, or of all rows
		{Path: "rows", Kind: dataset.KindInteger},
		{Path: "open", Kind: dataset.KindInteger},
		{Path: "closed", Kind: dataset.KindInteger},
		{Path: "administratively_closed", Kind: dataset.KindInteger},
	}
}

// ErrColumn says that a column does not exist, or is not to be shown.
var ErrColumn = errors.New("no such column")

// Choose are the columns of these paths, in their order.
//
// Errors: ErrColumn.
func Choose(all []Column, paths []string) ([]Column, error) {
	chosen := make([]Column, 0, len(paths))
	for _, p := range paths {
		i := slices.IndexFunc(all, func(c Column) bool { return c.Path == p })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", ErrColumn, p)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// lookup is the value of a column; a zero one when the document lacks it.
func (c Column) lookup(doc bson.Raw) bson.RawValue {
	path := strings.Split(c.Path, ".")
	if c.Coordinate > 0 {
		v := doc.Lookup(append(path[:len(path)-1], "coordinates")...)
		list, ok := v.ArrayOK()
		if !ok {
			return bson.RawValue{}
		}
		at, err := list.IndexErr(uint(c.Coordinate - 1))
		if err != nil {
			return bson.RawValue{}
		}
		return at
	}
	return doc.Lookup(path...)
}

// Writer writes documents. Close ends the file; a file that was not closed
// without an error is not complete.
type Writer interface {
	Write(doc bson.Raw) error
	// Describe puts what is to be known of the file into it, before Close, where
	// the format has a place for that: in Parquet, its metadata.
	Describe(about string)
	Close() error
}

// AboutKey is the key that Describe's text has in the metadata of Parquet.
const AboutKey = "padron"

// New makes a writer of a format. CSV and Parquet have the columns. So have the
// documents of JSON, when some were chosen; otherwise they are written as they
// are.
func New(f Format, w io.Writer, columns []Column, chosen bool) (Writer, error) {
	switch f {
	case CSV:
		c := &csvWriter{w: csv.NewWriter(w), columns: columns, line: make([]string, len(columns))}
		for i, column := range columns {
			c.line[i] = column.Path
		}
		return c, c.w.Write(c.line)
	case JSON, NDJSON:
		j := &jsonWriter{w: w, array: f == JSON}
		if chosen {
			j.columns = columns
		}
		return j, nil
	case Parquet:
		return newParquet(w, columns), nil
	default:
		return nil, fmt.Errorf("there is no format %q", f)
	}
}

type csvWriter struct {
	w       *csv.Writer
	columns []Column
	line    []string
}

func (c *csvWriter) Write(doc bson.Raw) error {
	for i, column := range c.columns {
		text, err := cellText(column, column.lookup(doc))
		if err != nil {
			return err
		}
		c.line[i] = text
	}
	return c.w.Write(c.line)
}

func (*csvWriter) Describe(string) {}

func (c *csvWriter) Close() error {
	c.w.Flush()
	return c.w.Error()
}

// formulaStart begins what spreadsheets take for a formula.
const formulaStart = "=+-@\t\r"

// cellText is a value as text; empty when there is none. Text that a
// spreadsheet would run as a formula gets an apostrophe in front, as OWASP
// advises (https://owasp.org/www-community/attacks/CSV_Injection): anybody can
// register a business under any name.
func cellText(c Column, v bson.RawValue) (string, error) {
	switch v.Type {
	case 0, bson.TypeNull:
		return "", nil
	case bson.TypeString:
		s := v.StringValue()
		if s != "" && !c.Own && strings.ContainsRune(formulaStart, rune(s[0])) {
			return "'" + s, nil
		}
		return s, nil
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Boolean()), nil
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10), nil
	case bson.TypeDouble:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64), nil
	case bson.TypeDateTime:
		return timeText(c.Kind, v.Time()), nil
	case bson.TypeArray:
		if c.Kind == dataset.KindStrings {
			return strings.Join(stringsOf(v), " "), nil
		}
	default:
	}
	raw, err := appendJSON(nil, c.Path, v)
	return string(raw), err
}

func timeText(k dataset.Kind, t time.Time) string {
	if k == dataset.KindTime {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return t.UTC().Format(time.DateOnly)
}

func stringsOf(v bson.RawValue) []string {
	var all []string
	list, _ := v.ArrayOK()
	values, _ := list.Values()
	for _, v := range values {
		if s, ok := v.StringValueOK(); ok {
			all = append(all, s)
		}
	}
	return all
}

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

// isMoment says which paths of dates are moments and no days.
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

type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	columns []Column
	row     parquet.Row
}

func newParquet(w io.Writer, columns []Column) *parquetWriter {
	group := orderedGroup{Group: parquet.Group{}}
	for _, c := range columns {
		group.Group[c.Path] = parquet.Optional(parquetNode(c))
		group.order = append(group.order, c.Path)
	}
	schema := parquet.NewSchema("document", group)
	return &parquetWriter{
		w: parquet.NewGenericWriter[any](w, schema, parquet.Compression(&parquet.Zstd),
			parquet.MaxRowsPerRowGroup(RowGroup), parquet.CreatedBy("padron", "1", "")),
		columns: columns, row: make(parquet.Row, len(columns)),
	}
}

// orderedGroup is a group whose fields are in the order given, not in that of
// their names.
type orderedGroup struct {
	parquet.Group
	order []string
}

func (g orderedGroup) Fields() []parquet.Field {
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(g.order, a.Name()) - slices.Index(g.order, b.Name())
	})
	return fields
}

func parquetNode(c Column) parquet.Node {
	switch c.Kind {
	case dataset.KindNumber:
		return parquet.Leaf(parquet.DoubleType)
	case dataset.KindInteger:
		return parquet.Int(32)
	case dataset.KindBool:
		return parquet.Leaf(parquet.BooleanType)
	case dataset.KindDate:
		return parquet.Date()
	case dataset.KindTime:
		return parquet.Timestamp(parquet.Millisecond)
	default:
		return parquet.String()
	}
}

// day is the length of a day, in milliseconds: dates in Parquet are days.
const day = 24 * 60 * 60 * 1000

func (p *parquetWriter) Write(doc bson.Raw) error {
	for i, c := range p.columns {
		value, err := parquetValue(c, c.lookup(doc))
		if err != nil {
			return err
		}
		level := 1
		if value.IsNull() {
			level = 0
		}
		p.row[i] = value.Level(0, level, i)
	}
	_, err := p.w.WriteRows([]parquet.Row{p.row})
	return err
}

func parquetValue(c Column, v bson.RawValue) (parquet.Value, error) {
	null := parquet.NullValue()
	switch c.Kind {
	case dataset.KindNumber:
		if f, ok := v.AsFloat64OK(); ok {
			return parquet.DoubleValue(f), nil
		}
		return null, nil
	case dataset.KindInteger:
		if n, ok := v.AsInt64OK(); ok {
			return parquet.Int32Value(int32(n)), nil
		}
		return null, nil
	case dataset.KindBool:
		if b, ok := v.BooleanOK(); ok {
			return parquet.BooleanValue(b), nil
		}
		return null, nil
	case dataset.KindDate:
		if ms, ok := v.DateTimeOK(); ok {
			days := ms / day
			if ms%day < 0 {
				days--
			}
			return parquet.Int32Value(int32(days)), nil
		}
		return null, nil
	case dataset.KindTime:
		if ms, ok := v.DateTimeOK(); ok {
			return parquet.Int64Value(ms), nil
		}
		return null, nil
	default:
		if s, ok := v.StringValueOK(); ok {
			return parquet.ByteArrayValue([]byte(s)), nil
		}
		text, err := cellText(c, v)
		if err != nil || text == "" {
			return null, err
		}
		return parquet.ByteArrayValue([]byte(text)), nil
	}
}

func (p *parquetWriter) Describe(about string) { p.w.SetKeyValueMetadata(AboutKey, about) }

func (p *parquetWriter) Close() error { return p.w.Close() }
