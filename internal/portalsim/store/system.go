package store

// systemColumns are the columns that the portal itself gives every row.
var systemColumns = [...]Column{
	{Name: ":id", Kind: KindText},
	{Name: ":created_at", Kind: KindFixedTimestamp},
	{Name: ":updated_at", Kind: KindFixedTimestamp},
	{Name: ":version", Kind: KindText},
}

// SystemColumns lists the columns that the portal itself gives every row. They
// have no slot: System computes them.
func SystemColumns() []Column { return systemColumns[:] }

// System returns a row's system column, by its index in SystemColumns. A full
// replace gives every row new ones; an edit, the edited rows a new :updated_at
// and :version.
func (s *Snapshot) System(row Row, index int) Value {
	created, updated := max(row.created, s.floor), max(row.updated, s.floor)
	switch index {
	case 0:
		return TextValue(systemID("row", s.seed, uint64(row.seq), uint64(created)))
	case 1:
		return s.written(created, row.seq)
	case 2:
		return s.written(updated, row.seq)
	default:
		return TextValue(systemID("rv", s.seed, uint64(row.seq), uint64(updated)+1<<32))
	}
}

// written returns when a row was written in a version. A full replace of the
// real register takes up to two minutes, so its rows lie within the 110 seconds
// before the version; the rows of an edit carry the version's own time.
func (s *Snapshot) written(version, seq uint32) Value {
	at := s.versions[version].UnixMilli()
	if version == s.floor {
		at -= int64(mix(s.seed, uint64(seq), uint64(version)) % 110_000)
	}
	return Value{Kind: KindFixedTimestamp, Set: true, At: at}
}

// Hash returns a number that depends on the dataset's seed, the version and x,
// and on nothing else.
func (s *Snapshot) Hash(x uint64) uint64 { return mix(s.seed, uint64(s.version), x) }

// systemID makes an identifier shaped like the portal's: "row-a2b4~c6d8_e0f2".
func systemID(prefix string, seed, a, b uint64) string {
	const letters, separators = "abcdefghijklmnopqrstuvwxyz23456789", "~._-"
	x := mix(seed, a, b)
	y := mix(x, a, b)
	id := make([]byte, 0, 20)
	id = append(append(id, prefix...), '-')
	for i := range 12 {
		if i == 4 || i == 8 {
			id = append(id, separators[y>>40%4])
			y >>= 2
		}
		id = append(id, letters[x%uint64(len(letters))])
		if x /= uint64(len(letters)); i == 5 {
			x = y
		}
	}
	return string(id)
}

// mix hashes three numbers with the finalizer of splitmix64. It is the same on
// every machine, so that a seed gives the same identifiers everywhere.
func mix(a, b, c uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 ^ b*0xbf58476d1ce4e5b9 ^ c*0x94d049bb133111eb
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
