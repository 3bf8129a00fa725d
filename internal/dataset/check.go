package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Column is a column of the live dataset: fieldName and dataTypeName of the
// portal's metadata.
type Column struct {
	Name string `json:"name" bson:"name"`
	Type string `json:"type" bson:"type"`
	// ListedOnly says that the metadata list the column and queries for it fail.
	ListedOnly bool `json:"listed_only,omitempty" bson:"listed_only,omitempty"`
}

// Retyped is a column whose type on the portal is not one its field expects.
type Retyped struct {
	Column   string   `json:"column" bson:"column"`
	Path     string   `json:"path" bson:"path"` // of its field
	Type     string   `json:"type" bson:"type"`
	Expected []string `json:"expected" bson:"expected"`
	Required bool     `json:"required" bson:"required"`
}

// Missing is a field of which the portal has no column.
type Missing struct {
	Path    string   `json:"path" bson:"path"`
	Columns []string `json:"columns" bson:"columns"`
	// ListedOnly says that the portal lists one of them and denies it when asked.
	ListedOnly bool `json:"listed_only,omitempty" bson:"listed_only,omitempty"`
}

func (m Missing) String() string { return strings.Join(m.Columns, " or ") }

// Check is the difference between the live dataset and the spec. Every live
// column is mapped, volatile, ignored, in Dropped, in ListedOnly, or in New.
type Check struct {
	Dataset         string    `json:"dataset" bson:"dataset"` // name of the spec
	Portal          Portal    `json:"portal" bson:"portal"`
	MissingRequired []Missing `json:"missing_required,omitempty" bson:"missing_required,omitempty"`
	MissingOptional []Missing `json:"missing_optional,omitempty" bson:"missing_optional,omitempty"`
	New             []Column  `json:"new,omitempty" bson:"new,omitempty"` // columns the spec does not know
	Retyped         []Retyped `json:"retyped,omitempty" bson:"retyped,omitempty"`
	Dropped         []string  `json:"dropped,omitempty" bson:"dropped,omitempty"` // columns that the spec leaves on the portal
	// ListedOnly are columns that the portal lists, but denies when it is asked for
	// them; nobody asks for them.
	ListedOnly []string `json:"listed_only,omitempty" bson:"listed_only,omitempty"`
}

// portalTypes returns the Socrata types that the columns of a field type may
// have unless the field names others. Text does not accept a number column: a
// key that became a number has lost its leading zeros.
func portalTypes(t Type) []string {
	switch t {
	case Number:
		return []string{"number", "double", "money", "percent"}
	case Date:
		return []string{"calendar_date", "date", "floating_timestamp", "fixed_timestamp"}
	case Bool:
		return []string{"checkbox"}
	case Point, PointText:
		return []string{"point", "location"}
	case Text, Marker:
		return []string{"text", "html", "url", "email", "phone"}
	default:
		return nil
	}
}

// Check compares the live columns with the spec.
func (s *Spec) Check(live []Column) Check {
	types := make(map[string]string, len(live))
	check := Check{Dataset: s.Name, Portal: s.Portal}
	for _, c := range live {
		if c.ListedOnly {
			check.ListedOnly = append(check.ListedOnly, c.Name)
			continue
		}
		types[c.Name] = c.Type
	}
	for _, f := range s.Fields {
		if f.Copy != "" || f.Drop {
			continue
		}
		there := false
		for _, column := range f.From {
			t, ok := types[column]
			if !ok {
				continue
			}
			there = true
			expected := f.PortalTypes
			if expected == nil {
				expected = portalTypes(f.Type)
			}
			if !slices.Contains(expected, t) {
				retyped := Retyped{Column: column, Path: f.Path, Type: t, Expected: expected, Required: f.Required}
				check.Retyped = append(check.Retyped, retyped)
			}
		}
		listedOnly := slices.ContainsFunc(f.From, func(column string) bool { return slices.Contains(check.ListedOnly, column) })
		switch {
		case there:
		case f.Required:
			check.MissingRequired = append(check.MissingRequired, Missing{f.Path, f.From, listedOnly})
		case f.Retired != "":
		default:
			check.MissingOptional = append(check.MissingOptional, Missing{f.Path, f.From, listedOnly})
		}
	}
	for _, c := range live {
		if c.ListedOnly {
			continue
		}
		if s.Dropped(c.Name) {
			check.Dropped = append(check.Dropped, c.Name)
			continue
		}
		if _, ignored := s.Ignored[c.Name]; !ignored && !s.mapped(c.Name) && !s.IsVolatile(c.Name) {
			check.New = append(check.New, c)
		}
	}
	return check
}

// Err returns why a run must stop before anything is written: a required column
// is gone or has another type. It is nil when the run may go on, perhaps with
// Warnings.
func (c Check) Err() error {
	var why []string
	for _, m := range c.MissingRequired {
		is := "gone"
		if m.ListedOnly {
			is = "listed by the portal, but denied when it is asked for"
		}
		why = append(why, fmt.Sprintf("required column %s is %s", m, is))
	}
	for _, r := range c.Retyped {
		if r.Required {
			why = append(why, fmt.Sprintf("required column %s is now of type %s, expected %s",
				r.Column, r.Type, strings.Join(r.Expected, " or ")))
		}
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%s/%s does not fit the spec %s: %s", c.Portal.Host, c.Portal.ID, c.Dataset, strings.Join(why, "; "))
}

// Warnings returns the differences that do not stop a run, one line each:
// missing optional columns, unknown columns, other types.
func (c Check) Warnings() []string {
	var warnings []string
	for _, m := range c.MissingOptional {
		warnings = append(warnings, fmt.Sprintf("column %s is not there: %s stays empty", m, m.Path))
	}
	for _, column := range c.ListedOnly {
		warnings = append(warnings, fmt.Sprintf("column %s is listed by the portal, but denied when it is asked for: it is left out", column))
	}
	for _, col := range c.New {
		warnings = append(warnings, fmt.Sprintf("column %s (%s) is new: it is counted, not stored", col.Name, col.Type))
	}
	for _, r := range c.Retyped {
		if !r.Required {
			warnings = append(warnings, fmt.Sprintf("column %s is of type %s, expected %s",
				r.Column, r.Type, strings.Join(r.Expected, " or ")))
		}
	}
	return warnings
}
