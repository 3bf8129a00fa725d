package cleaning

import (
	"slices"

	"padron/internal/dataset"
)

// A rule is one thing that cleaning looks for in a value. The flag for it
// (quality.flags) is the field's short name and the rule's: mail_city_folded.
// Flags of rules over several fields do not begin with a field's name.
type rule uint8

const (
	blank rule = iota
	whitespace
	hidden
	unreadable
	placeholder
	trailingHash
	undeliverable
	folded
	plusSigns
	isZip
	stateCase
	unknownState
	plusFour
	foreign
	invalid
	codeRange
	several
	unknownCode
	multiple
	outOfRange
	timePart
	format
	farPast
	farFuture
	defaultDate
	asText
	unexpected
	outsideBox
	nullIsland
	swapped

	ruleCount
)

// Rule is a row of the table of cleaning rules.
type Rule struct {
	Flag    string // what is appended to the field's short name; a whole row's flag in full, with its part in angle brackets
	Applies string // types of fields, or rules of the spec, it belongs to
	Effect  string // what happens to the value
	Meaning string // what was found
}

// Rules returns the table of all cleaning rules, those of single values first
// (describe), then those of a row.
// Whatever a rule does to a value, the original stays in source.
func Rules() []Rule {
	rules := make([]Rule, 0, int(ruleCount)+3)
	for r := range ruleCount {
		rules = append(rules, describe(r))
	}
	return append(rules,
		Rule{"<interval>_end_before_start", "row", "kept", "the row's end lies before its start"},
		Rule{"closed_without_<kind>_end", "row", "kept", "the narrowest end is there, the widest is not"},
		Rule{"closed_without_end_date", "row", "kept", "closed by the authority, and no end date"},
	)
}

// describe is the table's row of a rule of single values.
func describe(r rule) Rule {
	return [ruleCount]Rule{
		blank:      {"blank", "text, number, date, bool", "absent", "nothing but white space; a date of zeros (00/00/0000)"},
		whitespace: {"whitespace", "text", "trimmed", "white space around it, or more than one space within"},
		hidden:     {"hidden", "text", "a space (a soft hyphen stays)", "characters that show nothing, or turn the direction of others"},
		unreadable: {"unreadable", "all", "absent", "not a value of the field's type (quarantine where required)"},
		placeholder: {
			"placeholder", "name, address, city, zip", "absent",
			"N/A, None, a dash, a city's name as a business name, zips 00000 and 99999",
		},
		trailingHash:  {"trailing_hash", "name", "cut off", "a # at the end"},
		undeliverable: {"undeliverable", "address", "absent", "the tax office's mark for returned mail"},
		folded:        {"folded", "city", "replaced", "another spelling of a city of the spec"},
		plusSigns:     {"plus_signs", "city", "replaced", "+ for the space between words (San+jose)"},
		isZip:         {"is_zip", "city", "city or absent", "a zip in the city's column; the city where the spec knows the zip"},
		stateCase:     {"case", "state", "upper case", "a known state, not in upper case"},
		unknownState:  {"unknown", "state", "kept", "no state, territory or province"},
		plusFour:      {"plus_four", "zip", "first five", "more than five digits"},
		foreign:       {"foreign", "zip", "kept", "letters: a foreign postal code"},
		invalid:       {"invalid", "zip", "kept", "neither five digits nor foreign"},
		codeRange:     {"range", "naics", "kept", "an old range of codes (7220-7229)"},
		several:       {"several", "naics", "kept", "more than one code"},
		unknownCode:   {"unknown", "naics", "kept", "no official industry"},
		multiple:      {"multiple", "multiple", "kept", "a description that only says Multiple"},
		outOfRange:    {"out_of_range", "number", "kept", "outside the spec's range"},
		timePart:      {"time_part", "date", "day only", "a time of day other than midnight"},
		format:        {"format", "date", "read", "not as the portal writes dates (the spec's forms are read)"},
		farPast:       {"far_past", "date", "kept", "before 1776"},
		farFuture:     {"far_future", "date", "kept", "after 2100"},
		defaultDate:   {"default", "date", "kept", "a date that the spec says stands for not known"},
		asText:        {"as_text", "bool", "read", "true or false as text"},
		unexpected:    {"unexpected", "marker", "true", "another text than the marker (false for false, no, n)"},
		outsideBox:    {"outside_box", "point", "kept", "outside the spec's box"},
		nullIsland:    {"null_island", "point", "absent", "within a hundredth of a degree of 0, 0"},
		swapped:       {"swapped", "point", "swapped", "latitude first"},
	}[r]
}

// rulesOf returns the rules that apply to a field.
func rulesOf(f dataset.Field) []rule {
	switch f.Type {
	case dataset.Number:
		return []rule{blank, unreadable, outOfRange}
	case dataset.Date:
		return []rule{blank, unreadable, timePart, format, farPast, farFuture, defaultDate}
	case dataset.Bool:
		return []rule{blank, unreadable, asText}
	case dataset.Marker:
		return []rule{unreadable, unexpected}
	case dataset.Point:
		return []rule{unreadable, outsideBox, nullIsland, swapped}
	case dataset.PointText:
		return nil
	case dataset.Text:
	}
	rules := []rule{blank, whitespace, hidden, unreadable}
	if len(f.Rules) == 0 {
		return rules
	}
	switch f.Rules[0] {
	case dataset.RuleName:
		return append(rules, placeholder, trailingHash)
	case dataset.RuleAddress:
		return append(rules, placeholder, undeliverable)
	case dataset.RuleCity:
		return append(rules, placeholder, folded, plusSigns, isZip)
	case dataset.RuleState:
		return append(rules, stateCase, unknownState)
	case dataset.RuleZip:
		return append(rules, placeholder, plusFour, foreign, invalid)
	case dataset.RuleNAICS:
		return append(rules, codeRange, several, unknownCode)
	case dataset.RuleMultiple:
		return append(rules, multiple)
	}
	return rules
}

// Flags returns all flags that cleaning can give to rows of a dataset, sorted.
func Flags(spec *dataset.Spec) []string {
	var flags []string
	for _, f := range spec.Fields {
		if f.Drop {
			continue
		}
		name := spec.FieldName(f.Path)
		for _, r := range rulesOf(f) {
			flags = append(flags, name+"_"+describe(r).Flag)
		}
	}
	for _, interval := range spec.Lifecycle.Intervals {
		flags = append(flags, interval.Name+"_end_before_start")
	}
	if ends := spec.Lifecycle.End; len(ends) > 1 {
		flags = append(flags, "closed_without_"+ends[len(ends)-1].Kind+"_end")
	}
	if spec.Lifecycle.Closed != "" {
		flags = append(flags, "closed_without_end_date")
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}
