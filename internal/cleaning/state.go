package cleaning

import "strings"

// states are the codes of the United States Postal Service (states, district,
// territories, armed forces, freely associated states) and the provinces and
// territories of Canada.
const states = "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO " +
	"MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY " +
	"PR GU VI AS MP UM AA AE AP FM MH PW " +
	"AB BC MB NB NL NS NT NU ON PE QC SK YT "

func (c *Cleaner) cleanState(f *field, s string) string {
	upper := strings.ToUpper(s)
	if !isState(upper) {
		c.raise(f, unknownState)
		return s
	}
	if upper != s {
		c.raise(f, stateCase)
	}
	return upper
}

func isState(s string) bool {
	for i := 0; len(s) == 2 && i < len(states); i += len("AL ") {
		if states[i:i+2] == s {
			return true
		}
	}
	return false
}
