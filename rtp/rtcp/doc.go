// Package rtcp reads and writes the control packets of RTP: reports (RFC 3550),
// feedback (RFC 4585, RFC 5104, RFC 8888, transport-wide congestion control,
// REMB) and extended reports (RFC 3611).
//
// RTCP packets travel in datagrams of several. [Parse] checks a datagram and
// returns a [Compound]; its Packets are small views of the borrowed bytes, whose
// [Kind] says which of the typed readers will understand them:
//
//	c, err := rtcp.Parse(datagram)
//	for p := range c.Packets() {
//		switch p.Kind() {
//		case rtcp.SR:
//			sr, ok := p.SenderReport()
//			for report := range p.Reports() { … }
//		case rtcp.NACK:
//			for seq := range p.Lost() { … }
//		}
//	}
//
// Lists are iterators over the bytes: nothing is allocated, and nothing is
// believed from a count that the bytes do not back. A list that is cut off is
// what was there, unless a reader's ok says that the packet is malformed.
//
// Writers append one packet to a datagram: SenderReport.Append, AppendNACK,
// [TransportFeedback.Append] and so on.
//
// # Compound and reduced-size
//
// "All RTCP packets MUST be sent in a compound packet of at least two individual
// packets", of which the first is a report and one an SDES with a CNAME
// (RFC 3550, Section 6.1), unless reduced-size RTCP was negotiated (RFC 5506).
// Parse takes both; [Compound.CheckFull] tells them apart.
//
// # Out of scope
//
// When to send what, and computing what a report says, is the work of senders and
// receivers. Slice and reference picture feedback (SLI and RPSI of RFC 4585,
// TSTR, TSTN and VBCM of RFC 5104), which no browser sends, are kinds without a
// reader.
package rtcp
