package socratatest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// known are the types of the register's columns in all its vintages, and of common ones of other registers. Columns
// not listed are typed by what all their values look like.
var known = map[string]kind{
	"uniqueid": kindText, "certificate_number": kindText, "ttxid": kindText, "ownership_name": kindText, "dba_name": kindText,
	"full_business_address": kindText, "city": kindText, "state": kindText, "business_zip": kindText,
	"dba_start_date": kindCalendarDate, "dba_end_date": kindCalendarDate,
	"location_start_date": kindCalendarDate, "location_end_date": kindCalendarDate,
	"administratively_closed": kindText, "mailing_address_1": kindText, "mail_city": kindText, "mail_state": kindText,
	"mail_zipcode": kindText, "naic_code": kindText, "naic_code_description": kindText, "naics_code_descriptions_list": kindText,
	"self_reported_naics_code": kindText, "lic": kindText, "lic_code_description": kindText, "lic_code_descriptions_list": kindText,
	"parking_tax": kindCheckbox, "transient_occupancy_tax": kindCheckbox, "location": kindPoint, "business_corridor": kindText,
	"neighborhoods_analysis_boundaries": kindText, "supervisor_district": kindText, "community_benefit_district": kindText,
	"data_as_of": kindCalendarDate, "data_loaded_at": kindCalendarDate, "id": kindText,
	"location_address": kindText, "location_city": kindText, "location_state": kindText, "location_zip": kindText,
}

// field is one cell of a file: its column and what it holds.
type field struct {
	name string
	x    any // nil, string, bool, or, from JSON, float64, map[string]any or []any
}

// FromFile reads rows from a file: a JSON array of objects, one JSON object per line, or CSV with a header (the file's
// name ends in .csv). Blank CSV cells are null; headers such as "LICENSE ID" become license_id. Columns of the register
// have its types; others are dates, checkboxes, points or decimals if all their values look so, else text. The file is
// read twice and never held whole.
func FromFile(path string) (*Table, error) {
	t := typer{}
	if err := readFile(path, t.see); err != nil {
		return nil, err
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("%s holds no columns", path)
	}
	b, err := newBuilder(t.table())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	slots := map[string]int{}
	for _, c := range b.table.columns {
		slots[c.name] = c.slot
	}
	cells := make([]value, len(b.table.slots))
	err = readFile(path, func(row []field) error {
		clear(cells)
		for _, f := range row {
			slot := slots[f.name]
			v, err := toValue(b.table.slots[slot].kind, f.x)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			cells[slot] = v
		}
		b.add(cells)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b.done(), nil
}

// readFile calls row for each row of a file; the fields are valid until it returns.
func readFile(path string, row func([]field) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	read := readJSON
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		read = readCSV
	}
	n := 0
	err = read(bufio.NewReaderSize(f, 1<<16), func(fields []field) error {
		n++
		return row(fields)
	})
	if err != nil {
		return fmt.Errorf("%s, row %d: %w", path, n, err)
	}
	return nil
}

func readCSV(r *bufio.Reader, row func([]field) error) error {
	if head, err := r.Peek(3); err == nil && string(head) == "\ufeff" {
		_, _ = r.Discard(3) // peeked at just now
	}
	records := csv.NewReader(r)
	header, err := records.Read()
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = fieldName(h)
		if names[i] == "" || slices.Contains(names[:i], names[i]) {
			return fmt.Errorf("header: column %d is named %q: empty or a second one of that name", i+1, h)
		}
	}
	records.ReuseRecord = true
	fields := make([]field, len(names))
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, text := range record {
			fields[i] = field{name: names[i]}
			if text != "" {
				fields[i].x = text
			}
		}
		if err := row(fields); err != nil {
			return err
		}
	}
}

// fieldName makes a field name of a CSV header, as the portal does: lower case, runs of other characters one
// underscore. Names that are field names already stay as they are.
func fieldName(header string) string {
	if strings.HasPrefix(header, ":@") {
		return header
	}
	return strings.Join(strings.FieldsFunc(strings.ToLower(header), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "_")
}

func readJSON(r *bufio.Reader, row func([]field) error) error {
	d := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(false))
	if d.PeekKind() == '[' {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
	}
	inArray := d.StackDepth() == 1
	var fields []field
	for {
		switch d.PeekKind() {
		case '{':
		case ']':
			_, err := d.ReadToken()
			return err
		default:
			_, err := d.ReadToken()
			if errors.Is(err, io.EOF) && !inArray {
				return nil
			}
			if err == nil {
				err = errors.New("a row must be a JSON object")
			}
			return err
		}
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		if fields, err = objectFields(raw, fields[:0]); err != nil {
			return err
		}
		if err := row(fields); err != nil {
			return err
		}
	}
}

// objectFields decodes a JSON object in the order it is written; system columns are left out.
func objectFields(raw jsontext.Value, fields []field) ([]field, error) {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		f := field{name: name.String()}
		if err := json.UnmarshalDecode(d, &f.x); err != nil {
			return nil, err
		}
		if strings.HasPrefix(f.name, ":") && !strings.HasPrefix(f.name, ":@") {
			continue
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// typer finds the columns of a file and the types that all their values allow.
type typer struct {
	columns []*typing
	byName  map[string]*typing
}

type typing struct {
	name                         string
	some                         bool // at least one value
	date, bool, point, dec, json bool // what all values so far could be; json: at least one is an object or a list
}

func (t *typer) see(row []field) error {
	if t.byName == nil {
		t.byName = map[string]*typing{}
	}
	for _, f := range row {
		c := t.byName[f.name]
		if c == nil {
			c = &typing{name: f.name, date: true, bool: true, point: true, dec: true}
			t.byName[f.name] = c
			t.columns = append(t.columns, c)
		}
		if f.x != nil {
			c.narrow(f.x)
		}
	}
	return nil
}

func (c *typing) narrow(x any) {
	c.some = true
	can := func(k kind) bool {
		_, ok := toTyped(k, x)
		return ok
	}
	text, isText := x.(string)
	_, isBool := x.(bool)
	_, isNumber := x.(float64)
	c.json = c.json || !isText && !isBool && !isNumber
	c.date = c.date && isText && len(text) >= len("2006-01-02") && can(kindCalendarDate)
	c.bool = c.bool && (isBool || text == "true" || text == "false")
	c.point = c.point && !isBool && can(kindPoint)
	// Whole numbers in quotes may be codes with meaning in their zeros.
	c.dec = c.dec && (isNumber || strings.Contains(text, ".") && can(kindNumber))
}

// table gives the columns with their types.
func (t *typer) table() []column {
	columns := make([]column, len(t.columns))
	for i, c := range t.columns {
		columns[i] = column{name: c.name, title: titleOf(c.name), kind: c.kind()}
	}
	return columns
}

func (c *typing) kind() kind {
	if k, ok := known[c.name]; ok && !c.json || k == kindPoint && c.point {
		return k
	}
	switch {
	case strings.HasPrefix(c.name, ":@computed_region_"):
		return kindNumber
	case !c.some:
		return kindText
	case c.date:
		return kindCalendarDate
	case c.bool:
		return kindCheckbox
	case c.point:
		return kindPoint
	case c.dec:
		return kindNumber
	case c.json:
		return kindLocation
	default:
		return kindText
	}
}
