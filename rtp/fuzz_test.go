package rtp

import (
	"bytes"
	"slices"
	"testing"
)

// Whatever Parse accepts can be read in every way, and built again out of what
// was read, with the same meaning.
func FuzzParse(f *testing.F) {
	var ids []ExtensionMap
	for _, c := range captures(f) {
		for i, b := range c.packets {
			if i%8 == 0 {
				f.Add(b)
			}
		}
		ids = append(ids, c.ids)
	}
	f.Add(withBlock(rfc8285OneByte, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if !Is(b) {
			t.Fatal("Parse accepts what Is refuses")
		}
		_ = p.String()
		for id, value := range p.Extensions() {
			if id == 0 {
				t.Fatal("padding is taken for an element")
			}
			if _, ok := p.Extension(id); !ok {
				t.Fatalf("element %d is listed and not found", id)
			}
			for i := range ids {
				readAny(t, ids[i].Extension(id), value)
			}
		}
		again := mustParse(t, rebuild(p))
		if !slices.Equal(elementsOf(again), elementsOf(p)) || !bytes.Equal(again.Payload(), p.Payload()) {
			t.Fatalf("%v was built again as %v", p, again)
		}
		if h, g := headerOf(p), headerOf(again); h.SSRC != g.SSRC || h.Timestamp != g.Timestamp || !slices.Equal(h.CSRCs, g.CSRCs) {
			t.Fatalf("%+v was built again as %+v", h, g)
		}
	})
}

// readAny reads value as an extension; what is accepted and written again must
// read the same.
func readAny(t *testing.T, e Extension, value []byte) {
	switch e {
	case ExtVideoLayersAllocation:
		var v, again VideoLayersAllocation
		if v.Parse(value) && (!again.Parse(v.Append(nil)) || v != again) {
			t.Fatalf("%+v is written as %+v", v, again)
		}
	case ExtDependencyDescriptor:
		readDescriptor(t, value, nil)
	case ExtColorSpace:
		if c, ok := ParseColorSpace(value); ok {
			if again, ok := ParseColorSpace(c.Append(nil)); !ok || c != again {
				t.Fatalf("%+v is written as %+v", c, again)
			}
		}
	case ExtAbsCaptureTime:
		if c, ok := ParseAbsCaptureTime(value); ok && !bytes.Equal(c.Append(nil), value) {
			t.Fatalf("%x is written as %x", value, c.Append(nil))
		}
	case ExtPlayoutDelay:
		if c, ok := ParsePlayoutDelay(value); ok && !bytes.Equal(c.Append(nil), value) {
			t.Fatalf("%x is written as %x", value, c.Append(nil))
		}
	case ExtVideoTiming:
		ParseVideoTiming(value)
	}
}

func readDescriptor(t *testing.T, value []byte, structure *DependencyStructure) *DependencyStructure {
	var d, again DependencyDescriptor
	if d.Parse(value, structure) != nil {
		return structure
	}
	written := d.Append(nil, structure)
	if err := again.Parse(written, structure); err != nil {
		t.Fatalf("%x is written as %x: %v", value, written, err)
	}
	if !slices.Equal(d.Frame.FrameDiffs, again.Frame.FrameDiffs) || !slices.Equal(d.Frame.Indications, again.Frame.Indications) ||
		!slices.Equal(d.Frame.ChainDiffs, again.Frame.ChainDiffs) || d.Active != again.Active && d.HasActive || d.Resolution != again.Resolution {
		t.Fatalf("%+v is written as %+v", d, again)
	}
	if d.Structure != nil {
		return d.Structure
	}
	return structure
}

// A structure from one value, used by the next.
func FuzzDependencyDescriptor(f *testing.F) {
	values := capturedDescriptors(f)
	for _, v := range values[1:] {
		f.Add(values[0], v)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		readDescriptor(t, second, readDescriptor(t, first, nil))
	})
}

func FuzzVideoLayersAllocation(f *testing.F) {
	for _, c := range captures(f) {
		for _, b := range c.packets {
			if value, ok := mustParse(f, b).Extension(c.ids.ID(ExtVideoLayersAllocation)); ok {
				f.Add(value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) { readAny(t, ExtVideoLayersAllocation, value) })
}
