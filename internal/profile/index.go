package profile

// index finds listed values by their hash: an open hash table, half full at
// most. Every row looks up all of its values, and a map of Go takes twice as
// long.
type index struct {
	slots []slot // a power of two of them
}

// slot is free while at is 0.
type slot struct {
	high uint32 // of the hash: most others are told apart without a look at the value
	at   uint32 // index of the value, plus 1
}

const fewestSlots = 16

// find returns where a value is listed, -1 when it is not.
func (x *index) find(listed []value, hash uint64) int {
	if len(x.slots) == 0 {
		return -1
	}
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s.at == 0 {
			return -1
		}
		if s.high == uint32(hash>>32) && listed[s.at-1].hash == hash {
			return int(s.at - 1)
		}
	}
}

// add notes the last of the listed values, all others being noted.
func (x *index) add(listed []value) {
	if 2*len(listed) > len(x.slots) {
		x.slots = make([]slot, max(fewestSlots, 2*len(x.slots)))
		for i := range listed {
			x.put(listed[i].hash, i)
		}
		return
	}
	x.put(listed[len(listed)-1].hash, len(listed)-1)
}

func (x *index) put(hash uint64, at int) {
	mask := uint64(len(x.slots) - 1)
	i := hash & mask
	for x.slots[i].at != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = slot{uint32(hash >> 32), uint32(at + 1)}
}

func (x *index) clear() { clear(x.slots) }
