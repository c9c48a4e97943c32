/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * libdw finds and executes the CFI of an address; applying the result is done here and not by
 * libdwfl, because the rules of nearly every address fit in a few words that can be kept: a step
 * then costs some 50 ns instead of microseconds, and the files are shared by all processes that map
 * them. Rules with DWARF expressions (signal frames, PLT entries) are looked up and evaluated every
 * time.
 *
 * Everything here may be garbage: CFI, registers, stack. A step is bounded, reads only through
 * unwind__read, and the caller checks that the stack pointer goes up.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/guard.h"
#include "symbols/maps.h"
#include "symbols/unwind.h"

enum { CACHE_ROWS = 8192, MAX_OPS = 256, MAX_DEPTH = 64, MAX_OVERRUNS = 3 };

/* The registers that a function preserves, which is all that its caller's CFI can ask for. */
enum { NR_SAVED = 7 };
static const uint8_t saved_regs[NR_SAVED] = {3, LS_REG_RBP, 12, 13, 14, 15, LS_REG_RIP};

enum { RULE_SAME = INT32_MIN, RULE_UNDEFINED = INT32_MIN + 1 }; /* else: at CFA + rule */

enum row_kind { ROW_FREE, ROW_NONE /* no CFI here */, ROW_SIMPLE, ROW_EXPRESSIONS };

struct row {
	uint64_t vaddr;
	uint32_t cfi_id;
	uint8_t kind;
	uint8_t cfa_reg;
	uint8_t signal;
	int32_t cfa_offset;
	int32_t rules[NR_SAVED];
};

struct unwind_cache {
	struct row rows[CACHE_ROWS];
};

struct unwind_cache *unwind__new_cache(void)
{
	return calloc(1, sizeof(struct unwind_cache));
}

void unwind__free_cache(struct unwind_cache *cache)
{
	free(cache);
}

static bool read_live(struct unwind_memory *m, uint64_t addr, uint64_t *value)
{
	uint64_t page = addr & ~(uint64_t)(sizeof(m->page) - 1);

	if (m->page_addr != page || !page) {
		m->page_addr = page;
		m->page_bytes = maps__peek(m->live, page, m->page, sizeof(m->page));
	}
	if (addr - page + 8 > m->page_bytes) /* across two pages, or unreadable */
		return maps__peek(m->live, addr, value, 8) == 8;
	memcpy(value, m->page + (addr - page), 8);
	return true;
}

bool unwind__read(struct unwind_memory *m, uint64_t addr, uint64_t *value)
{
	if (addr >= m->base && addr - m->base < m->bytes && m->bytes - (addr - m->base) >= 8) {
		memcpy(value, m->stack + (addr - m->base), 8);
		return true;
	}
	return m->live && read_live(m, addr, value);
}

/* --- DWARF expressions ------------------------------------------------------------------------ */

struct machine {
	const struct unwind_regs *regs;
	struct unwind_memory *memory;
	uint64_t cfa;
	bool has_cfa;
	uint64_t stack[MAX_DEPTH];
	unsigned int depth;
	bool is_value; /* the result is a value, not an address to read it from */
};

static bool push(struct machine *m, uint64_t value)
{
	if (m->depth >= MAX_DEPTH)
		return false;
	m->stack[m->depth++] = value;
	return true;
}

static bool push_reg(struct machine *m, uint64_t reg, uint64_t offset)
{
	if (reg >= LS_NR_REGS || !(m->regs->known & 1u << reg))
		return false;
	return push(m, m->regs->regs.r[reg] + offset);
}

static bool binary(struct machine *m, unsigned int atom)
{
	uint64_t a, b;

	if (m->depth < 2)
		return false;
	b = m->stack[--m->depth];
	a = m->stack[m->depth - 1];
	switch (atom) {
	case DW_OP_and:
		a &= b;
		break;
	case DW_OP_or:
		a |= b;
		break;
	case DW_OP_xor:
		a ^= b;
		break;
	case DW_OP_plus:
		a += b;
		break;
	case DW_OP_minus:
		a -= b;
		break;
	case DW_OP_mul:
		a *= b;
		break;
	case DW_OP_shl:
		a = b < 64 ? a << b : 0;
		break;
	case DW_OP_shr:
		a = b < 64 ? a >> b : 0;
		break;
	case DW_OP_shra:
		a = (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
		break;
	case DW_OP_eq:
		a = a == b;
		break;
	case DW_OP_ne:
		a = a != b;
		break;
	case DW_OP_lt:
		a = (int64_t)a < (int64_t)b;
		break;
	case DW_OP_le:
		a = (int64_t)a <= (int64_t)b;
		break;
	case DW_OP_gt:
		a = (int64_t)a > (int64_t)b;
		break;
	case DW_OP_ge:
		a = (int64_t)a >= (int64_t)b;
		break;
	default:
		return false;
	}
	m->stack[m->depth - 1] = a;
	return true;
}

static bool unary(struct machine *m, const Dwarf_Op *op)
{
	uint64_t *top;

	if (!m->depth)
		return false;
	top = &m->stack[m->depth - 1];
	switch (op->atom) {
	case DW_OP_deref:
		return unwind__read(m->memory, *top, top);
	case DW_OP_plus_uconst:
		*top += op->number;
		return true;
	case DW_OP_neg:
		*top = -*top;
		return true;
	case DW_OP_not:
		*top = ~*top;
		return true;
	case DW_OP_dup:
		return push(m, *top);
	case DW_OP_drop:
		m->depth--;
		return true;
	case DW_OP_over:
		return m->depth >= 2 && push(m, top[-1]);
	case DW_OP_stack_value:
		m->is_value = true;
		return true;
	default:
		return binary(m, op->atom);
	}
}

static bool operate(struct machine *m, const Dwarf_Op *op)
{
	unsigned int atom = op->atom;

	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
		return push(m, atom - DW_OP_lit0);
	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
		return push_reg(m, atom - DW_OP_breg0, op->number);
	switch (atom) {
	case DW_OP_bregx:
		return push_reg(m, op->number, op->number2);
	case DW_OP_regx:
		m->is_value = true;
		return push_reg(m, op->number, 0);
	case DW_OP_call_frame_cfa:
		return m->has_cfa && push(m, m->cfa);
	case DW_OP_addr:
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		return push(m, op->number);
	case DW_OP_nop:
		return true;
	default:
		return unary(m, op);
	}
}

/* Straight-line code only: no producer of CFI branches. */
static bool evaluate(struct machine *m, const Dwarf_Op *ops, size_t nops, uint64_t *result)
{
	m->depth = 0;
	m->is_value = false;
	if (nops > MAX_OPS)
		return false;
	for (size_t i = 0; i < nops; i++)
		if (!operate(m, &ops[i]))
			return false;
	if (!m->depth)
		return false;
	*result = m->stack[m->depth - 1];
	return true;
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool simple_cfa(Dwarf_Frame *frame, struct row *row)
{
	Dwarf_Op *ops;
	size_t nops;

	if (dwarf_frame_cfa(frame, &ops, &nops) || nops != 1 || ops[0].atom != DW_OP_bregx)
		return false;
	if (ops[0].number >= LS_NR_REGS || (int64_t)ops[0].number2 != (int32_t)ops[0].number2)
		return false;
	row->cfa_reg = (uint8_t)ops[0].number;
	row->cfa_offset = (int32_t)ops[0].number2;
	return true;
}

static bool simple_rule(Dwarf_Frame *frame, int reg, int32_t *rule)
{
	Dwarf_Op mem[3], *ops;
	size_t nops;

	if (dwarf_frame_register(frame, reg, mem, &ops, &nops))
		return false;
	if (nops == 0) {
		*rule = ops ? RULE_UNDEFINED : RULE_SAME;
		return true;
	}
	if (ops[0].atom != DW_OP_call_frame_cfa || nops > 2)
		return false;
	*rule = 0;
	if (nops == 1)
		return true;
	*rule = (int32_t)ops[1].number;
	return ops[1].atom == DW_OP_plus_uconst && (int64_t)ops[1].number == *rule &&
	       *rule > RULE_UNDEFINED;
}

static void fill_row(struct row *row, Dwarf_Frame *frame)
{
	bool signal = false;

	row->kind = ROW_SIMPLE;
	if (dwarf_frame_info(frame, NULL, NULL, &signal) != LS_REG_RIP) {
		row->kind = ROW_NONE;
		return;
	}
	row->signal = signal;
	if (signal || !simple_cfa(frame, row))
		row->kind = ROW_EXPRESSIONS;
	for (int i = 0; row->kind == ROW_SIMPLE && i < NR_SAVED; i++)
		if (!simple_rule(frame, saved_regs[i], &row->rules[i]))
			row->kind = ROW_EXPRESSIONS;
}

/* Where CFI costs too much time it was made to: after a few such addresses it is not used. */
static void look_up(struct row *row, struct unwind_cfi *cfi)
{
	Dwarf_Frame *frame = NULL;

	guard__enter();
	if (dwarf_cfi_addrframe(cfi->cfi, row->vaddr, &frame) == 0)
		fill_row(row, frame);
	free(frame);
	if (guard__leave())
		cfi->overruns++;
}

static const struct row *find_row(struct unwind_cache *cache, struct unwind_cfi *cfi,
				  uint64_t vaddr)
{
	uint64_t hash = (vaddr ^ (uint64_t)cfi->id << 40) * 0x9e3779b97f4a7c15ULL;
	struct row *row = &cache->rows[hash >> 51];

	_Static_assert(CACHE_ROWS == 1 << (64 - 51), "hash bits");
	if (row->kind != ROW_FREE && row->vaddr == vaddr && row->cfi_id == cfi->id)
		return row;
	*row = (struct row){.vaddr = vaddr, .cfi_id = cfi->id, .kind = ROW_NONE};
	if (cfi->overruns < MAX_OVERRUNS)
		look_up(row, cfi);
	return row;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void set_reg(struct unwind_regs *regs, int reg, uint64_t value)
{
	regs->regs.r[reg] = value;
	regs->known |= 1u << reg;
}

static enum unwind_result finish(struct unwind_regs *regs, const struct unwind_regs *caller)
{
	if (!(caller->known & 1u << LS_REG_RIP))
		return UNWIND_LOST;
	*regs = *caller;
	return caller->regs.r[LS_REG_RIP] ? UNWIND_CALLER : UNWIND_END;
}

/*
 * In an epilogue the slot of a register that was popped lies below rsp, and the rules still name
 * it. Its bytes are there, but perhaps not in the copy; then the register itself has the value
 * again.
 */
static bool restore(const struct unwind_regs *regs, struct unwind_memory *memory, int reg,
		    uint64_t slot, uint64_t *value)
{
	if (unwind__read(memory, slot, value))
		return true;
	*value = regs->regs.r[reg];
	return reg != LS_REG_RIP && slot < regs->regs.r[LS_REG_RSP] && regs->known & 1u << reg;
}

static enum unwind_result step_simple(const struct row *row, struct unwind_regs *regs,
				      struct unwind_memory *memory)
{
	struct unwind_regs caller = {.known = 0};
	uint64_t cfa, value;
	int reg;

	if (!(regs->known & 1u << row->cfa_reg))
		return UNWIND_LOST;
	cfa = regs->regs.r[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_offset;
	set_reg(&caller, LS_REG_RSP, cfa);
	for (int i = 0; i < NR_SAVED; i++) {
		reg = saved_regs[i];
		if (row->rules[i] == RULE_UNDEFINED) {
			if (reg == LS_REG_RIP) /* as _start and clone3 are marked */
				return UNWIND_END;
		} else if (row->rules[i] == RULE_SAME) {
			if (reg != LS_REG_RIP && regs->known & 1u << reg)
				set_reg(&caller, reg, regs->regs.r[reg]);
		} else if (restore(regs, memory, reg, cfa + (uint64_t)(int64_t)row->rules[i],
				   &value)) {
			set_reg(&caller, reg, value);
		}
	}
	return finish(regs, &caller);
}

static enum unwind_result recover(Dwarf_Frame *frame, int reg, struct machine *m,
				  struct unwind_regs *caller)
{
	Dwarf_Op mem[3], *ops;
	uint64_t value;
	size_t nops;

	if (dwarf_frame_register(frame, reg, mem, &ops, &nops))
		return UNWIND_LOST;
	if (nops == 0 && !ops) {
		if (reg != LS_REG_RIP && m->regs->known & 1u << reg)
			set_reg(caller, reg, m->regs->regs.r[reg]);
	} else if (nops == 0) {
		return reg == LS_REG_RIP ? UNWIND_END : UNWIND_CALLER;
	} else if (evaluate(m, ops, nops, &value)) {
		if (m->is_value || unwind__read(m->memory, value, &value))
			set_reg(caller, reg, value);
	}
	return UNWIND_CALLER;
}

static enum unwind_result recover_all(Dwarf_Frame *frame, struct unwind_regs *regs,
				      struct unwind_memory *memory)
{
	struct machine m = {.regs = regs, .memory = memory};
	struct unwind_regs caller = {.known = 0};
	enum unwind_result result;
	Dwarf_Op *ops;
	size_t nops;

	if (dwarf_frame_cfa(frame, &ops, &nops) || !evaluate(&m, ops, nops, &m.cfa))
		return UNWIND_LOST;
	m.has_cfa = true;
	set_reg(&caller, LS_REG_RSP, m.cfa);
	for (int reg = 0; reg < LS_NR_REGS; reg++) {
		result = recover(frame, reg, &m, &caller);
		if (result != UNWIND_CALLER)
			return result;
	}
	return finish(regs, &caller);
}

static enum unwind_result step_expressions(struct unwind_cfi *cfi, uint64_t vaddr,
					   struct unwind_regs *regs, struct unwind_memory *memory)
{
	enum unwind_result result = UNWIND_LOST;
	Dwarf_Frame *frame = NULL;

	if (cfi->overruns >= MAX_OVERRUNS)
		return UNWIND_LOST;
	guard__enter();
	if (dwarf_cfi_addrframe(cfi->cfi, vaddr, &frame) == 0)
		result = recover_all(frame, regs, memory);
	free(frame);
	if (guard__leave())
		cfi->overruns++;
	return result;
}

/*
 * Code without CFI: JIT code, hand-written assembler. By the ABI rbp is then a frame pointer or
 * zero in the outermost frame; V8 and HotSpot (PreserveFramePointer) keep to that.
 */
static enum unwind_result step_frame_pointer(struct unwind_regs *regs, struct unwind_memory *memory)
{
	uint64_t rbp = regs->regs.r[LS_REG_RBP], rsp = regs->regs.r[LS_REG_RSP], saved, ret;
	struct unwind_regs caller = {.known = 0};

	if (!(regs->known & 1u << LS_REG_RBP))
		return UNWIND_LOST;
	if (!rbp)
		return UNWIND_END;
	if (rbp % 8 || rbp < rsp)
		return UNWIND_LOST;
	if (!unwind__read(memory, rbp, &saved) || !unwind__read(memory, rbp + 8, &ret))
		return UNWIND_LOST;
	set_reg(&caller, LS_REG_RBP, saved);
	set_reg(&caller, LS_REG_RSP, rbp + 16);
	set_reg(&caller, LS_REG_RIP, ret);
	return finish(regs, &caller);
}

enum unwind_result unwind__step(struct unwind_cache *cache, struct unwind_cfi *cfi, uint64_t vaddr,
				struct unwind_regs *regs, struct unwind_memory *memory,
				bool *signal)
{
	const struct row *row = cfi && cfi->cfi ? find_row(cache, cfi, vaddr) : NULL;

	*signal = row && row->signal;
	if (!row || row->kind == ROW_NONE)
		return step_frame_pointer(regs, memory);
	if (row->kind == ROW_SIMPLE)
		return step_simple(row, regs, memory);
	return step_expressions(cfi, vaddr, regs, memory);
}
