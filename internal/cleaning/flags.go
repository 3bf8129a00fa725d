package cleaning

import (
	"slices"

	"padron/internal/dataset"
)

// A rule is one thing cleaning looks for in a value. What it finds it flags (quality.flags) with the field's
// short name and the flag's: mail_city_folded. Flags of a whole row have no field's name before them.
type rule uint8

const (
	blank rule = iota
	whitespace
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

// Rules is the table of all cleaning rules, those of values first. Whatever a rule does to a value, the original
// stays in source.
//
//	flag            applies to      effect      meaning
//	blank           text            absent      nothing but white space
//	whitespace      text            trimmed     white space around it, or more than one space within
//	unreadable      all             absent      not a value of the field's type (quarantine where required)
//	placeholder     name address    absent      N/A, None, a dash; the city's name as a business name
//	                city zip                    zips 00000 and 99999
//	trailing_hash   name            cut off     a # at the end
//	undeliverable   address         absent      the tax office's mark for returned mail
//	folded          city            replaced    another spelling of a city of the spec
//	plus_signs      city            replaced    + for the space between words (San+jose)
//	is_zip          city            city/absent a zip in the city's column; the city where the spec knows the zip
//	case            state           upper case  a known state, not in upper case
//	unknown         state naics     kept        no state, territory or province; no official industry
//	plus_four       zip             first five  more than five digits
//	foreign         zip             kept        letters: a foreign postal code
//	invalid         zip             kept        neither five digits nor foreign
//	range           naics           kept        an old range of codes (7220-7229)
//	several         naics           kept        more than one code
//	multiple        multiple        kept        a description that only says Multiple
//	out_of_range    number          kept        outside the spec's range
//	time_part       date            day only    a time of day other than midnight
//	format          date            read        not as the portal writes dates
//	far_past        date            kept        before 1776
//	far_future      date            kept        after 2100
//	default         date            kept        a date the spec says stands for "not known"
//	as_text         bool            read        "true" or "false" as text
//	unexpected      marker          true        another text than the marker (false for "false", "no", "n")
//	outside_box     point           kept        outside the spec's box
//	null_island     point           absent      within a hundredth of a degree of 0, 0
//	swapped         point           swapped     latitude first
//
//	<interval>_end_before_start     kept        the row's end lies before its start
//	closed_without_<kind>_end       kept        the narrowest end is there, the widest is not
//	closed_without_end_date         kept        closed by the authority, and no end date
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

func describe(r rule) Rule {
	return [ruleCount]Rule{
		blank:         {"blank", "text", "absent", "nothing but white space"},
		whitespace:    {"whitespace", "text", "trimmed", "white space around it, or more than one space within"},
		unreadable:    {"unreadable", "all", "absent", "not a value of the field's type"},
		placeholder:   {"placeholder", "name, address, city, zip", "absent", "N/A, None, a dash, a city's name as a business name, zips 00000 and 99999"},
		trailingHash:  {"trailing_hash", "name", "cut off", "a # at the end"},
		undeliverable: {"undeliverable", "address", "absent", "the tax office's mark for returned mail"},
		folded:        {"folded", "city", "replaced", "another spelling of a city of the spec"},
		plusSigns:     {"plus_signs", "city", "replaced", "+ for the space between words"},
		isZip:         {"is_zip", "city", "city or absent", "a zip in the city's column"},
		stateCase:     {"case", "state", "upper case", "a known state, not in upper case"},
		unknownState:  {"unknown", "state", "kept", "no state, territory or province"},
		plusFour:      {"plus_four", "zip", "first five", "more than five digits"},
		foreign:       {"foreign", "zip", "kept", "letters: a foreign postal code"},
		invalid:       {"invalid", "zip", "kept", "neither five digits nor foreign"},
		codeRange:     {"range", "naics", "kept", "an old range of codes"},
		several:       {"several", "naics", "kept", "more than one code"},
		unknownCode:   {"unknown", "naics", "kept", "no official industry"},
		multiple:      {"multiple", "multiple", "kept", "a description that only says Multiple"},
		outOfRange:    {"out_of_range", "number", "kept", "outside the spec's range"},
		timePart:      {"time_part", "date", "day only", "a time of day other than midnight"},
		format:        {"format", "date", "read", "not as the portal writes dates"},
		farPast:       {"far_past", "date", "kept", "before 1776"},
		farFuture:     {"far_future", "date", "kept", "after 2100"},
		defaultDate:   {"default", "date", "kept", "a date that stands for not known"},
		asText:        {"as_text", "bool", "read", "true or false as text"},
		unexpected:    {"unexpected", "marker", "true", "another text than the marker"},
		outsideBox:    {"outside_box", "point", "kept", "outside the spec's box"},
		nullIsland:    {"null_island", "point", "absent", "within a hundredth of a degree of 0, 0"},
		swapped:       {"swapped", "point", "swapped", "latitude first"},
	}[r]
}

// rulesOf are the rules that a field can break.
func rulesOf(f dataset.Field) []rule {
	switch f.Type {
	case dataset.Number:
		return []rule{unreadable, outOfRange}
	case dataset.Date:
		return []rule{unreadable, timePart, format, farPast, farFuture, defaultDate}
	case dataset.Bool:
		return []rule{unreadable, asText}
	case dataset.Marker:
		return []rule{unreadable, unexpected}
	case dataset.Point:
		return []rule{unreadable, outsideBox, nullIsland, swapped}
	case dataset.PointText:
		return nil
	case dataset.Text:
	}
	rules := []rule{blank, whitespace, unreadable}
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

// Flags are all flags that cleaning can give the rows of a dataset, sorted.
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
