package export

import (
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Format is a file format of exports.
type Format string

// These are the formats.
const (
	CSV     Format = "csv"     // a column for each value, RFC 4180 with LF, UTF-8, with a header; see ByteOrderMark
	JSON    Format = "json"    // one array
	NDJSON  Format = "ndjson"  // one document to a line, as dataset.Spec.JSONSchema says
	Parquet Format = "parquet" // a column for each value, compressed with zstd
)

// Formats returns all formats.
func Formats() []Format { return []Format{CSV, JSON, NDJSON, Parquet} }

// Writer writes documents. Close ends the file; a file that was not closed
// without an error is not complete.
type Writer interface {
	Write(doc bson.Raw) error
	// Describe stores a description in the file where the format has a place
	// for it: in Parquet, the metadata. Call it before Close.
	Describe(about string)
	Close() error
}

// New returns a writer of a format. CSV and Parquet files have the columns.
// JSON documents have them only where chosen is true; otherwise they are
// written in full.
func New(f Format, w io.Writer, columns []Column, chosen bool) (Writer, error) {
	switch f {
	case CSV:
		c := &csvWriter{w: NewCSVWriter(w), columns: columns, line: make([]string, len(columns))}
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
