package cleaning

import "strings"

// Sector is an industry sector.
type Sector struct {
	Code  string // 54, 44-45, 722
	Title string
}

// Sectors are the sectors of the North American Industry Classification System
// (2022, United States Census Bureau), in order of code. Three more are for San
// Francisco's register: accommodation (721) and food services (722) are sectors
// of their own where a code has three digits or more, and 61-62 is the
// register's old range 6100-6299, "Private Education and Health Services".
func Sectors() []Sector {
	return []Sector{
		{"11", "Agriculture, Forestry, Fishing and Hunting"},
		{"21", "Mining, Quarrying, and Oil and Gas Extraction"},
		{"22", "Utilities"},
		{"23", "Construction"},
		{"31-33", "Manufacturing"},
		{"42", "Wholesale Trade"},
		{"44-45", "Retail Trade"},
		{"48-49", "Transportation and Warehousing"},
		{"51", "Information"},
		{"52", "Finance and Insurance"},
		{"53", "Real Estate and Rental and Leasing"},
		{"54", "Professional, Scientific, and Technical Services"},
		{"55", "Management of Companies and Enterprises"},
		{"56", "Administrative and Support and Waste Management and Remediation Services"},
		{"61", "Educational Services"},
		{"61-62", "Educational Services, or Health Care and Social Assistance"},
		{"62", "Health Care and Social Assistance"},
		{"71", "Arts, Entertainment, and Recreation"},
		{"72", "Accommodation and Food Services"},
		{"721", "Accommodation"},
		{"722", "Food Services and Drinking Places"},
		{"81", "Other Services (except Public Administration)"},
		{"92", "Public Administration"},
	}
}

// sectorOf returns the sector of a code of two to six digits by its longest
// known prefix, empty when there is none.
func sectorOf(code string) string {
	if n := digits(code); n != len(code) || n < 2 || n > 6 {
		return ""
	}
	if len(code) > 2 && (code[:3] == "721" || code[:3] == "722") {
		return code[:3]
	}
	switch prefix := code[:2]; prefix {
	case "31", "32", "33":
		return "31-33"
	case "44", "45":
		return "44-45"
	case "48", "49":
		return "48-49"
	case "11", "21", "22", "23", "42", "51", "52", "53", "54", "55", "56", "61", "62", "71", "72", "81", "92":
		return prefix
	}
	return ""
}

// industry reads the register's industry column: a code, an old range of codes,
// or several of them separated by spaces. sector is empty unless all of them
// lie in the same one.
func industry(s string) (sector string, count int, ranged, unknown bool) {
	for code := range strings.FieldsSeq(s) {
		from, to, isRange := strings.Cut(code, "-")
		one := sectorOf(from)
		if isRange {
			ranged = true
			switch last := sectorOf(to); {
			case one == "61" && last == "62":
				one = "61-62"
			case len(from) != len(to) || last != one:
				one = ""
			}
		}
		unknown = unknown || one == ""
		if count == 0 {
			sector = one
		} else if sector != one {
			sector = ""
		}
		count++
	}
	return sector, count, ranged, unknown
}

func (c *Cleaner) cleanIndustry(f *field, s string) string {
	_, count, ranged, unknown := industry(s)
	if ranged {
		c.raise(f, codeRange)
	}
	if count > 1 {
		c.raise(f, several)
	}
	if unknown {
		c.raise(f, unknownCode)
	}
	return s
}
