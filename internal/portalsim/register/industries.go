package register

import (
	"strconv"
	"strings"
)

// sector is a line of business.
type sector struct {
	code   string // the range of NAICS codes, as the register writes it
	weight int
	codes  []string // NAICS codes of the sector
	trades []string // what its businesses are called
}

// accommodations is the index of the sector that pays the hotel tax.
const accommodations = 10

var sectors = [...]sector{
	{ // Food Services
		"7220-7229", 95,
		[]string{"722511", "722513", "722515", "722330", "722410"},
		[]string{"Cafe", "Kitchen", "Grill", "Bakery", "Noodles", "Tacos", "Coffee", "Bistro"},
	},
	{ // Retail Trade
		"4400-4599", 120,
		[]string{"459310", "445110", "458110", "459999", "455110", "449210", "456110"},
		[]string{"Market", "Shop", "Books", "Flowers", "Goods", "Hardware", "Gifts", "Outfitters"},
	},
	{ // Professional, Scientific, and Technical Services
		"5400-5499", 150,
		[]string{"541110", "541211", "541310", "541511", "541512", "541611", "541712", "541922"},
		[]string{"Consulting", "Design", "Legal", "Studio", "Labs", "Advisors", "Engineering"},
	},
	{ // Real Estate and Rental and Leasing Services
		"5300-5399", 130,
		[]string{"531110", "531120", "531210", "531311", "532111"},
		[]string{"Properties", "Apartments", "Realty", "Rentals", "Holdings"},
	},
	{ // Construction
		"2300-2399", 70,
		[]string{"238220", "238210", "236118", "236220", "238320"},
		[]string{"Builders", "Plumbing", "Electric", "Painting", "Roofing"},
	},
	{ // Certain Services
		"8100-8139", 65,
		[]string{"812111", "812112", "811111", "812320", "812990"},
		[]string{"Salon", "Auto Repair", "Cleaners", "Barbers", "Tailors"},
	},
	{ // Transportation and Warehousing
		"4800-4999", 60,
		[]string{"485310", "485999", "484210", "492110"},
		[]string{"Cab", "Moving", "Delivery", "Transport"},
	},
	{ // Arts, Entertainment, and Recreation
		"7100-7199", 45,
		[]string{"711510", "711130", "713940", "713990"},
		[]string{"Music", "Theater", "Fitness", "Yoga", "Arts"},
	},
	{ // Private Education and Health Services
		"6100-6299", 75,
		[]string{"621111", "621210", "621498", "611710", "624410"},
		[]string{"Clinic", "Dental", "Tutors", "Therapy", "School"},
	},
	{ // Administrative and Support Services
		"5600-5699", 45,
		[]string{"561720", "561730", "561320", "561990"},
		[]string{"Cleaning", "Staffing", "Services", "Landscaping"},
	},
	{ // Accommodations
		"7210-7219", 40,
		[]string{"721110", "721191", "721199"},
		[]string{"Hotel", "Inn", "Guest House", "Lodge"},
	},
	{ // Information
		"5100-5199", 40,
		[]string{"519290", "513210", "512110", "517121"},
		[]string{"Media", "Software", "Pictures", "Networks"},
	},
	{ // Financial Services
		"5210-5239", 40,
		[]string{"523910", "523930", "522310", "522320"},
		[]string{"Capital", "Partners", "Ventures", "Finance"},
	},
	{ // Insurance
		"5240-5249", 15,
		[]string{"524210", "524298"},
		[]string{"Insurance", "Brokers"},
	},
	{ // Wholesale Trade
		"4200-4299", 30,
		[]string{"423990", "424490", "424990"},
		[]string{"Trading", "Supply", "Imports", "Wholesale"},
	},
	{ // Manufacturing
		"3100-3399", 25,
		[]string{"339910", "311811", "315250", "323111"},
		[]string{"Works", "Brewing", "Print", "Ceramics"},
	},
	{ // Utilities
		"2200-2299", 3,
		[]string{"221114", "221310"},
		[]string{"Power", "Water"},
	},
	{ // Agriculture, Forestry, Fishing and Hunting
		"1100-1199", 2,
		[]string{"111998", "114111"},
		[]string{"Farm", "Fish"},
	},
}

// junkCodes are entries of the industry code column that are no NAICS codes.
var junkCodes = [...]string{
	"00", "0", "106122", "999999", "000000", "10", "99", "123456",
}

// license is a code of the city's business licenses.
type license struct{ code, description string }

var licenses = [...]license{
	{"H24", "Restaurant 1,000 - 2,000 Sqft"},
	{"H25", "Restaurant Less Than 1,000 Sqft"},
	{"H26", "Restaurant Over 2,000 Sqft"},
	{"H03", "Food Market Without Food Preparation"},
	{"H07", "Food Product And Marketing Establishment"},
	{"H31", "Tobacco Retailer"},
	{"D08", "Fuel Storage Tank"},
	{"D13", "Self-Service Motor Fuel Dispensing Facilities"},
	{"D14", "Motor Fuel Dispensing Facilities"},
	{"D19", "Vehicle Repair"},
	{"D24", "Towing Firm"},
	{"P01", "Place Of Entertainment"},
	{"P12", "Billiard Parlor"},
}

// industry fills the industry code, which most rows lack. ended is the day on
// which the location or its business ended, 0 when neither has.
func (g *generator) industry(s int, recent bool, ended int) {
	missing := shareNoCode
	switch {
	case recent:
		missing = shareNoCodeRecent
	case ended >= cleanupDay:
		missing = shareNoCodeClosed
	}
	if g.chance(missing) {
		return
	}
	code := ""
	switch u := g.Float64(); {
	case u < 0.25:
		code = sectors[s].code
	case u < 0.28:
		other := sectors[(s+1+g.IntN(len(sectors)-1))%len(sectors)]
		code = sectors[s].code + " " + other.code
	case u < 0.29:
		code = oneOf(g, junkCodes[:])
	case u < 0.95:
		code = oneOf(g, sectors[s].codes)
		if u > 0.73 { // shortened by whoever filled in the form
			code = code[:2+g.IntN(4)]
		}
	default:
		code = oneOf(g, sectors[s].codes)[:3]
		for range g.IntN(4) {
			code += strconv.Itoa(g.IntN(10))
		}
	}
	g.setText(colNAICS, code)
}

// license fills the license codes, which 96 % of the rows lack.
func (g *generator) license() {
	if g.chance(0.96) {
		return
	}
	first := g.IntN(len(licenses))
	codes, descriptions := []string{licenses[first].code}, []string{licenses[first].description}
	for i := first + 1; i < len(licenses) && g.chance(0.4); i++ {
		codes, descriptions = append(codes, licenses[i].code), append(descriptions, licenses[i].description)
	}
	g.setText(colLic, strings.Join(codes, " "))
	g.setText(colLicDescription, descriptions[0])
	if len(codes) > 1 {
		g.setText(colLicDescription, "Multiple")
	}
	g.setText(colLicDescriptions, strings.Join(descriptions, "; "))
}
