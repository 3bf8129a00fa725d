package export

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

type csvWriter struct {
	w       *CSVWriter
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
	return c.w.Flush()
}

// CSVWriter writes lines of CSV that spreadsheets read right whatever separator
// their language has: RFC 4180 with LF, and a cell that has a comma, a semicolon,
// a tab, a quote or a line's end is quoted.
type CSVWriter struct {
	w    *bufio.Writer
	line []byte
}

// ByteOrderMark begins a file that Excel is to read as UTF-8 on a double click.
const ByteOrderMark = "\ufeff"

// NewCSVWriter writes to w. Call Flush at the end.
func NewCSVWriter(w io.Writer) *CSVWriter { return &CSVWriter{w: bufio.NewWriter(w)} }

// Write writes a line.
func (c *CSVWriter) Write(cells []string) error {
	c.line = c.line[:0]
	for i, cell := range cells {
		if i > 0 {
			c.line = append(c.line, ',')
		}
		if strings.ContainsAny(cell, ",;\t\"\r\n") || strings.TrimSpace(cell) != cell || len(cells) == 1 && cell == "" {
			c.line = append(c.line, '"')
			c.line = append(c.line, strings.ReplaceAll(cell, `"`, `""`)...)
			c.line = append(c.line, '"')
		} else {
			c.line = append(c.line, cell...)
		}
	}
	_, err := c.w.Write(append(c.line, '\n'))
	return err
}

// Flush writes what is held back.
func (c *CSVWriter) Flush() error { return c.w.Flush() }

// Harmless keeps spreadsheets from running text as a formula, as OWASP advises
// (https://owasp.org/www-community/attacks/CSV_Injection): anybody can register a
// business under any name. An apostrophe is put before a sign of a formula that
// begins a cell. A cell begins at the text's start, and, for a spreadsheet whose
// language separates by semicolons, also after a semicolon, a tab or a line's end
// in it, whatever spaces and quotes follow.
func Harmless(s string) string {
	if !strings.ContainsAny(s, formulaSigns) {
		return s
	}
	var b strings.Builder
	begins := true
	for i, r := range s {
		switch {
		case begins && strings.ContainsRune(formulaSigns, r):
			b.WriteByte('\'')
			begins = strings.ContainsRune(separators, r)
		case strings.ContainsRune(separators, r):
			begins = true
		case r != '"' && !unicode.IsSpace(r) && r != '\u200b' && r != '\ufeff':
			begins = false
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+size])
	}
	return b.String()
}

const (
	// formulaSigns are the first characters of what spreadsheets take for a
	// formula, in their wide forms too; tab and return are skipped by some.
	formulaSigns = "=+-@\t\r＝＋－＠"
	// separators are what cells may end with inside a text.
	separators = ";\t\r\n"
)

// cellText returns a value as text, empty when there is none, made Harmless unless
// it is Padron's own.
func cellText(c Column, v bson.RawValue) (string, error) {
	switch v.Type {
	case 0, bson.TypeNull:
		return "", nil
	case bson.TypeString:
		if c.Own {
			return v.StringValue(), nil
		}
		return Harmless(v.StringValue()), nil
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
			return Harmless(strings.Join(stringsOf(v), " ")), nil
		}
	default:
	}
	raw, err := appendJSON(nil, c.Path, v)
	return Harmless(string(raw)), err
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
