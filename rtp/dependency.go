package rtp

import "slices"

// The Dependency Descriptor tells a middlebox, frame by frame, what it needs to
// know to forward a part of a scalable video without looking into it: which
// frames this one depends on, and which decode targets need it. It comes with
// AV1 (RTP Payload Format for AV1, Appendix A), and serves every codec.
//
// Most of it repeats from frame to frame, and stands in templates. Those come
// with the first packet of a key frame; the receiver keeps them.

// Limits: of the syntax, and of AV1 for the layers.
const (
	maxTemplates  = 64
	maxSpatialID  = 3
	maxTemporalID = 7
)

// A DependencyDescriptor is the value of the extension [ExtDependencyDescriptor].
// Keep one, and parse into it: it reuses its memory.
type DependencyDescriptor struct {
	StartOfFrame, EndOfFrame bool   // the packet is the first, or last, of its frame
	TemplateID               uint8  // frame_dependency_template_id, 6 bits
	FrameNumber              uint16 // by decoding order, wrapping

	// Structure is the template structure that came in this packet, or nil.
	Structure *DependencyStructure

	// Active tells which decode targets are still being sent, one bit each, when
	// HasActive says so. A new structure makes all of its targets active.
	Active    uint32
	HasActive bool

	// What the frame is, by its template or by itself. Borrowed from the structure
	// or from this descriptor.
	Frame DependencyTemplate

	// Resolution of the frame's spatial layer; zero when the structure has none.
	Resolution Resolution

	// Memory for frames that say otherwise than their template.
	indications            []DecodeTargetIndication
	frameDiffs, chainDiffs []uint16
}

// A DependencyStructure is a set of templates: template_dependency_structure().
type DependencyStructure struct {
	TemplateIDOffset uint8 // the id of the first template
	Templates        []DependencyTemplate
	DecodeTargets    []DecodeTarget
	ChainCount       int

	// Resolutions has the largest frame size of each spatial layer, or is empty.
	Resolutions []Resolution
}

// A DependencyTemplate tells of a frame's layer and dependencies.
type DependencyTemplate struct {
	SpatialID, TemporalID uint8
	Indications           []DecodeTargetIndication // per decode target
	FrameDiffs            []uint16                 // how many frames ago the frames were that this one refers to
	ChainDiffs            []uint16                 // per chain, how many frames ago its previous frame was
}

// A DecodeTarget is a quality that the video may be decoded at.
type DecodeTarget struct {
	SpatialID, TemporalID uint8
	Chain                 uint8 // the chain that protects it, when ChainCount is not 0
}

// A Resolution is a frame's size in pixels.
type Resolution struct{ Width, Height uint32 }

// A DecodeTargetIndication is the relation of a frame to a decode target.
type DecodeTargetIndication uint8

const (
	NotPresent  DecodeTargetIndication = 0 // "-": the target does not have the frame
	Discardable DecodeTargetIndication = 1 // "D": no other frame of the target refers to it
	Switch      DecodeTargetIndication = 2 // "S": all later frames of the target can be decoded from here on
	Required    DecodeTargetIndication = 3 // "R": needed, and neither of the above
)

func (i DecodeTargetIndication) String() string { return "-DSR"[i&3 : i&3+1] }

// Why a dependency descriptor could not be read.
const (
	ErrDescriptor      Reason = "dependency descriptor is malformed"
	ErrNoStructure     Reason = "dependency descriptor needs a template structure that has not come"
	ErrTemplateUnknown Reason = "dependency descriptor names a template that the structure does not have"
)

// Parse reads a value. structure is the last structure that came on this stream,
// or nil; a structure in the value itself takes precedence and is to be kept for
// the packets that follow. On ErrNoStructure and ErrTemplateUnknown the first
// four fields are valid.
func (d *DependencyDescriptor) Parse(value []byte, structure *DependencyStructure) error {
	r := bitReader{b: value}
	d.Structure, d.Active, d.HasActive, d.Frame, d.Resolution = nil, 0, false, DependencyTemplate{}, Resolution{}

	d.StartOfFrame, d.EndOfFrame = r.flag(), r.flag()
	d.TemplateID = uint8(r.f(6))
	d.FrameNumber = uint16(r.f(16))
	if r.failed {
		return ErrDescriptor
	}
	var customDTIs, customFrameDiffs, customChains bool
	if len(value) > 3 {
		hasStructure, hasActive := r.flag(), r.flag()
		customDTIs, customFrameDiffs, customChains = r.flag(), r.flag(), r.flag()
		if hasStructure {
			structure = readStructure(&r)
			if structure == nil {
				return ErrDescriptor
			}
			d.Structure = structure
			d.Active, d.HasActive = 1<<len(structure.DecodeTargets)-1, true
		}
		if structure == nil {
			return ErrNoStructure
		}
		if hasActive {
			d.Active, d.HasActive = r.f(len(structure.DecodeTargets)), true
		}
	}
	if structure == nil {
		return ErrNoStructure
	}

	// frame_dependency_definition()
	index := int(d.TemplateID-structure.TemplateIDOffset) & 63
	if index >= len(structure.Templates) {
		return ErrTemplateUnknown
	}
	d.Frame = structure.Templates[index]
	if customDTIs {
		d.indications = d.indications[:0]
		for range structure.DecodeTargets {
			d.indications = append(d.indications, DecodeTargetIndication(r.f(2)))
		}
		d.Frame.Indications = d.indications
	}
	if customFrameDiffs {
		d.frameDiffs = d.frameDiffs[:0]
		for size := r.f(2); size != 0; size = r.f(2) {
			d.frameDiffs = append(d.frameDiffs, uint16(r.f(4*int(size)))+1)
		}
		d.Frame.FrameDiffs = d.frameDiffs
	}
	if customChains {
		d.chainDiffs = d.chainDiffs[:0]
		for range structure.ChainCount {
			d.chainDiffs = append(d.chainDiffs, uint16(r.f(8)))
		}
		d.Frame.ChainDiffs = d.chainDiffs
	}
	if r.failed {
		return ErrDescriptor
	}
	if int(d.Frame.SpatialID) < len(structure.Resolutions) {
		d.Resolution = structure.Resolutions[d.Frame.SpatialID]
	}
	return nil
}

// readStructure reads template_dependency_structure(). Nothing is allocated for
// bits that are not there.
func readStructure(r *bitReader) *DependencyStructure {
	s := &DependencyStructure{TemplateIDOffset: uint8(r.f(6))}
	s.DecodeTargets = make([]DecodeTarget, r.f(5)+1)

	// template_layers()
	var spatial, temporal uint8
	for {
		if r.failed || len(s.Templates) == maxTemplates || spatial > maxSpatialID || temporal > maxTemporalID {
			return nil
		}
		s.Templates = append(s.Templates, DependencyTemplate{SpatialID: spatial, TemporalID: temporal})
		next := r.f(2)
		if next == 3 { // no more templates
			break
		}
		switch next {
		case 1:
			temporal++
		case 2:
			temporal, spatial = 0, spatial+1
		}
	}

	// template_dtis(), and decode_target_layers(), which follows from them
	for i := range s.Templates {
		t := &s.Templates[i]
		if r.failed {
			return nil
		}
		t.Indications = make([]DecodeTargetIndication, len(s.DecodeTargets))
		for j := range t.Indications {
			t.Indications[j] = DecodeTargetIndication(r.f(2))
			if t.Indications[j] != NotPresent {
				target := &s.DecodeTargets[j]
				target.SpatialID = max(target.SpatialID, t.SpatialID)
				target.TemporalID = max(target.TemporalID, t.TemporalID)
			}
		}
	}

	// template_fdiffs()
	for i := range s.Templates {
		for r.flag() {
			s.Templates[i].FrameDiffs = append(s.Templates[i].FrameDiffs, uint16(r.f(4))+1)
		}
	}

	// template_chains()
	s.ChainCount = int(r.ns(uint32(len(s.DecodeTargets)) + 1))
	if s.ChainCount > 0 {
		for i := range s.DecodeTargets {
			s.DecodeTargets[i].Chain = uint8(r.ns(uint32(s.ChainCount)))
		}
		for i := range s.Templates {
			if r.failed {
				return nil
			}
			s.Templates[i].ChainDiffs = make([]uint16, s.ChainCount)
			for j := range s.ChainCount {
				s.Templates[i].ChainDiffs[j] = uint16(r.f(4))
			}
		}
	}

	// render_resolutions()
	if r.flag() {
		for range int(spatial) + 1 {
			s.Resolutions = append(s.Resolutions, Resolution{r.f(16) + 1, r.f(16) + 1})
		}
	}
	if r.failed {
		return nil
	}
	return s
}

// Append appends the value to b. structure is the one that the receiver has: when
// d.Structure is there it is sent, and takes its place. What the frame's template
// says already is not said again.
func (d *DependencyDescriptor) Append(b []byte, structure *DependencyStructure) []byte {
	if d.Structure != nil {
		structure = d.Structure
	}
	index := int(d.TemplateID-structure.TemplateIDOffset) & 63
	if index >= len(structure.Templates) {
		panic("BUG: a frame's template is not in the structure")
	}
	t := structure.Templates[index]
	if d.Frame.SpatialID != t.SpatialID || d.Frame.TemporalID != t.TemporalID {
		panic("BUG: a frame is of another layer than its template")
	}
	if len(d.Frame.Indications) != len(structure.DecodeTargets) || len(d.Frame.ChainDiffs) != structure.ChainCount {
		panic("BUG: a frame has indications for every decode target, and a difference for every chain")
	}
	customDTIs := !slices.Equal(d.Frame.Indications, t.Indications)
	customFrameDiffs := !slices.Equal(d.Frame.FrameDiffs, t.FrameDiffs)
	customChains := !slices.Equal(d.Frame.ChainDiffs, t.ChainDiffs)
	all := uint32(1)<<len(structure.DecodeTargets) - 1
	hasActive := d.HasActive && (d.Structure == nil || d.Active != all)

	w := bitWriter{b: b}
	w.flag(d.StartOfFrame)
	w.flag(d.EndOfFrame)
	w.f(6, uint32(d.TemplateID))
	w.f(16, uint32(d.FrameNumber))
	if d.Structure == nil && !hasActive && !customDTIs && !customFrameDiffs && !customChains {
		return w.b
	}
	for _, flag := range [...]bool{d.Structure != nil, hasActive, customDTIs, customFrameDiffs, customChains} {
		w.flag(flag)
	}
	if d.Structure != nil {
		structure.write(&w)
	}
	if hasActive {
		w.f(len(structure.DecodeTargets), d.Active)
	}
	if customDTIs {
		for _, i := range d.Frame.Indications {
			w.f(2, uint32(i))
		}
	}
	if customFrameDiffs {
		for _, diff := range d.Frame.FrameDiffs {
			if diff < 1 || diff > 1<<12 {
				panic("BUG: a frame refers to one of 4,096 frames before it")
			}
			size := 1
			for uint32(diff-1)>>(4*size) != 0 {
				size++
			}
			w.f(2, uint32(size))
			w.f(4*size, uint32(diff-1))
		}
		w.f(2, 0)
	}
	if customChains {
		for _, diff := range d.Frame.ChainDiffs {
			w.f(8, uint32(min(diff, 255)))
		}
	}
	return w.b
}

func (s *DependencyStructure) write(w *bitWriter) {
	w.f(6, uint32(s.TemplateIDOffset))
	w.f(5, uint32(len(s.DecodeTargets)-1))
	for i, t := range s.Templates {
		if i == 0 {
			continue
		}
		switch before := s.Templates[i-1]; {
		case t.SpatialID == before.SpatialID && t.TemporalID == before.TemporalID:
			w.f(2, 0)
		case t.SpatialID == before.SpatialID && t.TemporalID == before.TemporalID+1:
			w.f(2, 1)
		case t.SpatialID == before.SpatialID+1 && t.TemporalID == 0:
			w.f(2, 2)
		default:
			panic("BUG: templates are in order of their layers, without a gap")
		}
	}
	w.f(2, 3)
	for _, t := range s.Templates {
		for _, i := range t.Indications {
			w.f(2, uint32(i))
		}
	}
	for _, t := range s.Templates {
		for _, diff := range t.FrameDiffs {
			w.f(1, 1)
			w.f(4, uint32(diff-1))
		}
		w.f(1, 0)
	}
	w.ns(uint32(len(s.DecodeTargets))+1, uint32(s.ChainCount))
	if s.ChainCount > 0 {
		for _, target := range s.DecodeTargets {
			w.ns(uint32(s.ChainCount), uint32(target.Chain))
		}
		for _, t := range s.Templates {
			for _, diff := range t.ChainDiffs {
				w.f(4, uint32(diff))
			}
		}
	}
	w.flag(len(s.Resolutions) > 0)
	for _, r := range s.Resolutions {
		w.f(16, r.Width-1)
		w.f(16, r.Height-1)
	}
}
