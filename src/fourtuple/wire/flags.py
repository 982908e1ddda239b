"""TCP's flag bits (RFC 9293, section 3.1; AE is RFC 9768's), for all who need no more of TCP."""

__all__ = ["ACK", "AE", "CWR", "ECE", "FIN", "PSH", "RST", "SYN", "URG"]

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
