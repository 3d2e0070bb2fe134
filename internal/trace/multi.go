package trace

// Multi returns a Sink that passes each fact to every one of sinks, in order;
// those that are nil are left out.
func Multi(sinks ...Sink) Sink {
	var m multi
	for _, s := range sinks {
		if s != nil {
			m = append(m, s)
		}
	}
	return m
}

type multi []Sink

func (m multi) Trace(e *Event) {
	for _, s := range m {
		s.Trace(e)
	}
}
