package register

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"padron/internal/boundaries"
)

// neighborhood is one of the city's 41 analysis neighborhoods.
type neighborhood struct {
	name                 string
	weight               int     // its rows in the register of August 2017
	lon, lat             float64 // the middle of its rows
	lonSpread, latSpread float64 // how far rows lie from the middle at most
	districts            []share // the supervisor districts that it lies in
	zips                 []string
}

// share is how many of a neighborhood's rows lie in a supervisor district, in
// percent.
type share struct {
	district string
	percent  int
}

// computedRegions are the columns of the portal's own spatial joins: SF Find
// neighborhoods, police districts, supervisor districts, analysis
// neighborhoods, neighborhoods.
var computedRegions = [...]string{
	":@computed_region_6qbp_sg9q", ":@computed_region_qgnn_b9vv", ":@computed_region_26cr_cadq",
	":@computed_region_ajp5_b2md", ":@computed_region_jwn9_ihcz",
}

// point returns a place in the neighborhood, inside the city's box. h chooses
// which.
func (n *neighborhood) point(h uint64) (lon, lat float64) {
	spread := func(bits uint64) float64 { return float64(bits&0xffff)/0xffff*2 - 1 }
	lon = micro(n.lon + n.lonSpread*spread(h))
	lat = micro(n.lat + n.latSpread*spread(h>>16))
	return lon, min(lat, 37.8395)
}

// micro rounds degrees to six decimals, as the portal does.
func micro(degrees float64) float64 { return math.Round(degrees*1e6) / 1e6 }

// region returns the number of the computed region that a neighborhood lies in.
// index is the neighborhood's, column that of the computed column. Only the
// supervisor districts are real.
func (n *neighborhood) region(index, column int) string {
	switch column {
	case 1:
		return strconv.Itoa(1 + index*7%10)
	case 2:
		return n.districts[0].district
	case 3:
		return strconv.Itoa(1 + index)
	default:
		return strconv.Itoa(1 + (index*3+column*11)%117)
	}
}

// Location returns the columns that say where a location is, for an address in
// one of the city's neighborhoods; ok is false when area is not the name of
// one. The same address is always at the same point.
func Location(address, area string) (fields map[string]any, ok bool) {
	index := slices.IndexFunc(neighborhoods[:], func(n neighborhood) bool { return n.name == area })
	if index < 0 {
		return nil, false
	}
	n := neighborhoods[index]
	lon, lat := n.point(rand.NewPCG(uint64(len(address)), uint64(index)).Uint64())
	fields = map[string]any{
		"full_business_address":             address,
		"neighborhoods_analysis_boundaries": n.name,
		"supervisor_district":               n.districts[0].district,
		"business_zip":                      n.zips[0],
		"location":                          [2]float64{lon, lat},
	}
	for i, name := range computedRegions {
		fields[name] = n.region(index, i)
	}
	return fields, true
}

// Neighborhoods returns invented outlines of the city's neighborhoods: of each
// the part of the city that is nearer to its middle than to any other (a
// Voronoi diagram). They are close enough to where generated points lie.
func Neighborhoods() []boundaries.Area {
	const latitude = 37.76
	perLon := math.Cos(latitude * math.Pi / 180) // the length of a degree of longitude, in degrees of latitude
	city := orb.Bound{Min: orb.Point{180, 90}, Max: orb.Point{-180, -90}}
	for _, n := range neighborhoods {
		city = city.Extend(orb.Point{n.lon - n.lonSpread, n.lat - n.latSpread}).Extend(orb.Point{n.lon + n.lonSpread, n.lat + n.latSpread})
	}
	areas := make([]boundaries.Area, 0, len(neighborhoods))
	for i, n := range neighborhoods {
		ring := city.ToRing()[:4]
		for j, other := range neighborhoods {
			if i != j {
				// What is nearer to n than to the other lies on n's side of the
				// line midway between them.
				dx, dy := (other.lon-n.lon)*perLon*perLon, other.lat-n.lat
				ring = clip(ring, dx, dy, dx*(n.lon+other.lon)/2+dy*(n.lat+other.lat)/2)
			}
		}
		for p := range ring {
			ring[p] = orb.Point{micro(ring[p][0]), micro(ring[p][1])}
		}
		areas = append(areas, boundaries.Area{Name: n.name, Outline: geojson.MultiPolygon{{append(ring, ring[0])}}})
	}
	return areas
}

// clip keeps the part of an open convex ring where a x + b y <= c (Sutherland
// and Hodgman).
func clip(ring orb.Ring, a, b, c float64) orb.Ring {
	var kept orb.Ring
	for i, p := range ring {
		next := ring[(i+1)%len(ring)]
		here, there := a*p[0]+b*p[1]-c, a*next[0]+b*next[1]-c
		if here <= 0 {
			kept = append(kept, p)
		}
		if here < 0 && there > 0 || here > 0 && there < 0 {
			t := here / (here - there)
			kept = append(kept, orb.Point{p[0] + t*(next[0]-p[0]), p[1] + t*(next[1]-p[1])})
		}
	}
	return kept
}

// neighborhoods are the 41, by name.
var neighborhoods = [...]neighborhood{
	{"Bayview Hunters Point", 5714, -122.3870, 37.7306, 0.0124, 0.0125, []share{{"10", 100}}, []string{"94124"}},
	{"Bernal Heights", 2944, -122.4155, 37.7405, 0.0063, 0.0054, []share{{"9", 97}, {"8", 3}}, []string{"94110"}},
	{"Castro/Upper Market", 3991, -122.4355, 37.7622, 0.0064, 0.0040, []share{{"8", 100}}, []string{"94114"}},
	{"Chinatown", 4326, -122.4076, 37.7960, 0.0037, 0.0021, []share{{"3", 100}}, []string{"94108", "94133"}},
	{"Excelsior", 2626, -122.4314, 37.7183, 0.0068, 0.0082, []share{{"11", 98}, {"9", 2}}, []string{"94112"}},
	{
		"Financial District/South Beach", 18350, -122.3974, 37.7896, 0.0059, 0.0063,
		[]share{{"6", 55}, {"3", 45}},
		[]string{"94111", "94105", "94104"},
	},
	{"Glen Park", 955, -122.4364, 37.7401, 0.0077, 0.0033, []share{{"8", 100}}, []string{"94131"}},
	{
		"Golden Gate Park", 44, -122.4836, 37.7691, 0.0208, 0.0027,
		[]share{{"4", 39}, {"1", 31}, {"7", 26}, {"5", 4}},
		[]string{"94122", "94121"},
	},
	{"Haight Ashbury", 2759, -122.4457, 37.7690, 0.0065, 0.0032, []share{{"8", 55}, {"5", 45}}, []string{"94117"}},
	{"Hayes Valley", 3511, -122.4288, 37.7748, 0.0060, 0.0024, []share{{"5", 84}, {"8", 10}, {"6", 6}}, []string{"94102", "94117"}},
	{"Inner Richmond", 3299, -122.4652, 37.7808, 0.0045, 0.0051, []share{{"1", 100}}, []string{"94118"}},
	{"Inner Sunset", 3244, -122.4656, 37.7590, 0.0085, 0.0052, []share{{"7", 89}, {"8", 11}}, []string{"94122"}},
	{"Japantown", 755, -122.4346, 37.7851, 0.0062, 0.0009, []share{{"5", 81}, {"2", 19}}, []string{"94115"}},
	{"Lakeshore", 936, -122.4909, 37.7200, 0.0112, 0.0079, []share{{"7", 97}, {"4", 3}}, []string{"94132"}},
	{"Lincoln Park", 21, -122.5013, 37.7844, 0.0051, 0.0023, []share{{"1", 100}}, []string{"94121"}},
	{"Lone Mountain/USF", 1815, -122.4490, 37.7777, 0.0055, 0.0030, []share{{"1", 44}, {"2", 34}, {"5", 22}}, []string{"94118", "94117"}},
	{"Marina", 4802, -122.4367, 37.8014, 0.0077, 0.0039, []share{{"2", 100}}, []string{"94123"}},
	{"McLaren Park", 22, -122.4194, 37.7179, 0.0053, 0.0033, []share{{"10", 57}, {"9", 29}, {"11", 14}}, []string{"94134"}},
	{"Mission Bay", 1933, -122.3933, 37.7709, 0.0059, 0.0043, []share{{"6", 93}, {"10", 7}}, []string{"94158", "94107"}},
	{
		"Mission", 10489, -122.4161, 37.7600, 0.0071, 0.0078,
		[]share{{"9", 70}, {"8", 14}, {"6", 10}, {"10", 6}},
		[]string{"94110", "94103"},
	},
	{"Nob Hill", 4123, -122.4144, 37.7911, 0.0040, 0.0034, []share{{"3", 100}}, []string{"94109", "94108"}},
	{"Noe Valley", 3064, -122.4336, 37.7482, 0.0068, 0.0042, []share{{"8", 99}, {"9", 1}}, []string{"94114", "94131"}},
	{"North Beach", 3000, -122.4095, 37.8056, 0.0049, 0.0034, []share{{"3", 100}}, []string{"94133"}},
	{"Oceanview/Merced/Ingleside", 1882, -122.4609, 37.7169, 0.0069, 0.0042, []share{{"11", 91}, {"7", 9}}, []string{"94112", "94132"}},
	{"Outer Mission", 1850, -122.4435, 37.7211, 0.0082, 0.0089, []share{{"11", 96}, {"8", 4}}, []string{"94112"}},
	{"Outer Richmond", 5109, -122.4910, 37.7779, 0.0146, 0.0040, []share{{"1", 100}}, []string{"94121"}},
	{"Pacific Heights", 3849, -122.4352, 37.7912, 0.0075, 0.0032, []share{{"2", 90}, {"5", 10}}, []string{"94115", "94109"}},
	{"Portola", 1119, -122.4082, 37.7263, 0.0055, 0.0047, []share{{"9", 89}, {"10", 9}, {"11", 2}}, []string{"94134"}},
	{"Potrero Hill", 3247, -122.3942, 37.7592, 0.0077, 0.0044, []share{{"10", 96}, {"6", 4}}, []string{"94107"}},
	{"Presidio Heights", 2113, -122.4512, 37.7863, 0.0048, 0.0029, []share{{"2", 98}, {"5", 2}}, []string{"94118", "94115"}},
	{"Presidio", 417, -122.4680, 37.7974, 0.0114, 0.0060, []share{{"2", 100}}, []string{"94129"}},
	{"Russian Hill", 2897, -122.4201, 37.8008, 0.0031, 0.0045, []share{{"3", 80}, {"2", 20}}, []string{"94109", "94133"}},
	{"Seacliff", 186, -122.4878, 37.7867, 0.0045, 0.0016, []share{{"1", 100}}, []string{"94121"}},
	{"South of Market", 7551, -122.4060, 37.7773, 0.0057, 0.0042, []share{{"6", 100}}, []string{"94103", "94107"}},
	{"Sunset/Parkside", 7333, -122.4927, 37.7491, 0.0116, 0.0109, []share{{"4", 100}}, []string{"94122", "94116"}},
	{"Tenderloin", 3888, -122.4158, 37.7835, 0.0038, 0.0032, []share{{"5", 75}, {"3", 18}, {"6", 7}}, []string{"94102", "94109"}},
	{"Treasure Island", 327, -122.3694, 37.8220, 0.0047, 0.0086, []share{{"6", 100}}, []string{"94130"}},
	{"Twin Peaks", 662, -122.4500, 37.7519, 0.0054, 0.0039, []share{{"7", 66}, {"8", 34}}, []string{"94131", "94114"}},
	{"Visitacion Valley", 1009, -122.4094, 37.7125, 0.0073, 0.0032, []share{{"10", 100}}, []string{"94134"}},
	{"West of Twin Peaks", 4264, -122.4602, 37.7340, 0.0110, 0.0085, []share{{"7", 98}, {"8", 2}}, []string{"94127", "94116"}},
	{"Western Addition", 2703, -122.4298, 37.7819, 0.0070, 0.0028, []share{{"5", 67}, {"2", 33}}, []string{"94115", "94109"}},
}
