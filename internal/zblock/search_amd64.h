// What both searches share. What holds at each position:
//
//	SI         the block
//	DI         the table of hashes
//	R8, R9     position, and the end of the last match
//	R10, R11   the last offset and the one before
//	R12, R13   where the next literals and the next sequence go
//	R15        what hashes multiply by
//
// Within a match BX is its end, DX where it is copied from, BP the position
// where the search found it.

// LIMIT is limit.
#define LIMIT $(const_Size-16)

// HASH hashes the low five bytes of r.
#define HASH(r) \
	SHLQ  $24, r  \
	IMULQ R15, r  \
	SHRQ  $(64-const_shortLog), r

// SAME moves BX, and CX before it, on while both places hold the same; BX at
// most to the end of the block.
#define SAME(more, differ, end) \
more:                        \
	MOVQ   (SI)(BX*1), AX    \
	XORQ   (SI)(CX*1), AX    \
	JNE    differ            \
	ADDQ   $8, BX            \
	ADDQ   $8, CX            \
	CMPQ   BX, $const_Size   \
	JB     more              \
	MOVL   $const_Size, BX   \
	JMP    end               \
differ:                      \
	TZCNTQ AX, AX            \
	SHRL   $3, AX            \
	ADDQ   AX, BX            \
	MOVL   $const_Size, AX   \
	CMPQ   BX, AX            \
	CMOVQHI AX, BX           \
end:

// BACK takes bytes that are equal in front of the match into it, down to the
// position in R14.
#define BACK(more, end) \
more:                          \
	CMPQ    R8, R14            \
	JLS     end                \
	TESTQ   DX, DX             \
	JEQ     end                \
	MOVBLZX -1(SI)(R8*1), AX   \
	CMPB    -1(SI)(DX*1), AX   \
	JNE     end                \
	DECQ    R8                 \
	DECQ    DX                 \
	JMP     more               \
end:

// EMIT notes a sequence with the offset in CX: the literals from R9 to R8, and
// the match. It goes on behind that.
#define EMIT(more, end) \
	MOVL  CX, sequence_off(R13)    \
	MOVQ  R8, AX                   \
	SUBQ  R9, AX                   \
	MOVW  AX, sequence_lit(R13)    \
	MOVL  BX, CX                   \
	SUBL  R8, CX                   \
	SUBL  $3, CX                   \
	MOVW  CX, sequence_match(R13)  \
	ADDQ  $sequence__size, R13     \
	LEAQ  (SI)(R9*1), R14          \
	MOVOU (R14), X0                \
	MOVOU X0, (R12)                \
	CMPQ  AX, $16                  \
	JLS   end                      \
	MOVL  $16, CX                  \
more:                              \
	MOVOU (R14)(CX*1), X0          \
	MOVOU X0, (R12)(CX*1)          \
	ADDQ  $16, CX                  \
	CMPQ  CX, AX                   \
	JB    more                     \
end:                               \
	ADDQ  AX, R12                  \
	MOVQ  BX, R8                   \
	MOVQ  BX, R9

// START begins.
#define START \
	MOVQ e+0(FP), DI \
	MOVQ b+8(FP), SI \
	LEAQ Encoder_lits(DI), R12 \
	LEAQ Encoder_seqs(DI), R13 \
	ADDQ $Encoder_short, DI \
	MOVL $1, R8 \
	XORL R9, R9 \
	MOVL $1, R10 \
	MOVL $4, R11 \
	MOVQ $0xCF1BBCDCBB, R15

// COPY notes a match at the offset before the last, without literals, and goes
// on behind it.
#define COPY \
	MOVL BX, CX \
	SUBL R8, CX \
	SUBL $3, CX \
	SHLQ $48, CX \
	INCQ CX \
	MOVQ CX, (R13) \
	ADDQ $sequence__size, R13 \
	MOVQ R10, AX \
	MOVQ R11, R10 \
	MOVQ AX, R11 \
	MOVQ BX, R8 \
	MOVQ BX, R9

// FINISH tells how much there is.
#define FINISH \
	SUBQ $Encoder_short, DI \
	LEAQ Encoder_lits(DI), AX \
	SUBQ AX, R12 \
	MOVQ R12, Encoder_nlits(DI) \
	LEAQ Encoder_seqs(DI), AX \
	SUBQ AX, R13 \
	SHRQ $3, R13 \
	MOVQ R13, Encoder_nseqs(DI)
