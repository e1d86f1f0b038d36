/* Lossless recoding of baseline JPEG scans: Huffman codes out, context mixing and a binary arithmetic coder in.
   Integers only, so that every machine gives the same; no libc, so that one .so serves all x86-64 Linux. */
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef short i16; typedef int i32; typedef long long i64;
void *memset(void *d, int c, unsigned long n) { u8 *p = d; for (; n; n--) { *(volatile u8 *)p = (u8)c; p++; } return d; }
void *memcpy(void *d, const void *s, unsigned long n) { u8 *p = d; const u8 *q = s; for (; n; n--) { *(volatile u8 *)p = *q; p++; q++; } return d; }
static const u8 ZZ[64] = {0,1,8,16,9,2,3,10,17,24,32,25,18,11,4,5,12,19,26,33,40,48,41,34,27,20,13,6,7,14,21,28,35,42,49,56,57,50,43,36,29,22,15,23,30,37,44,51,58,59,52,45,38,31,39,46,53,60,61,54,47,55,62,63};
/* round(2^13 * c(u)/2 * cos((2x+1)u pi/16)) */
static const i16 CS[8][8] = {
{2896,2896,2896,2896,2896,2896,2896,2896},{4017,3406,2276,799,-799,-2276,-3406,-4017},{3784,1567,-1567,-3784,-3784,-1567,1567,3784},{3406,-799,-4017,-2276,2276,4017,799,-3406},
{2896,-2896,-2896,2896,2896,-2896,-2896,2896},{2276,-4017,799,3406,-3406,-799,4017,-2276},{1567,-3784,3784,-1567,-1567,3784,-3784,1567},{799,-2276,3406,-4017,4017,-3406,2276,-799}};
#define MAXB 1024
#define NI 8
#ifndef TB
#define TB 17
#endif
#ifndef ESH
#define ESH 15
#endif
typedef struct { u8 len[256]; u16 code[256]; i32 maxcode[18], valptr[18], mincode[18]; u8 vals[256]; int there; } Huff;
typedef struct { int h, v, tq, td, ta, bw, bh, off; } Comp;
typedef struct {
  Huff huff[2][4]; u16 q[4][64]; Comp c[3]; int nc, w, hgt, hmax, vmax, mcux, mcuy, nblocks;
} Head;
typedef struct {
  u32 t[NI][1 << TB]; i32 w[4096][NI]; i16 stretch[4096]; u16 squash[4096]; u16 rec[256];
  i16 coef[MAXB][64]; i16 edge[MAXB][32]; u8 nz[MAXB]; Head heads[16];
  u32 low, high, code; const u8 *in, *inend; u8 *out; int enc;
  u32 idx[NI]; i32 st[NI];
  u32 apm[2][1024 * 33];
} S;
u64 workspace(void) { return sizeof(S) + 64; }
static int parse(const u8 *b, int n, Head *H) {
  int i = 2; memset(H, 0, sizeof *H);
  for (;;) {
    if (i + 4 > n || b[i] != 0xff) return -1;
    int m = b[i + 1], L = b[i + 2] << 8 | b[i + 3]; const u8 *p = b + i + 4, *e = b + i + 2 + L;
    if (m == 0xdb) while (p < e) { int id = *p++; if (id > 3) return -2; for (int k = 0; k < 64; k++) H->q[id][ZZ[k]] = *p++; }
    else if (m == 0xc0) {
      H->hgt = p[1] << 8 | p[2]; H->w = p[3] << 8 | p[4]; H->nc = p[5]; if (H->nc > 3) return -3;
      for (int c = 0; c < H->nc; c++) { H->c[c].h = p[7 + 3 * c] >> 4; H->c[c].v = p[7 + 3 * c] & 15; H->c[c].tq = p[8 + 3 * c]; if (H->c[c].h > H->hmax) H->hmax = H->c[c].h; if (H->c[c].v > H->vmax) H->vmax = H->c[c].v; }
    } else if (m == 0xc4) while (p < e) {
      int k = *p++; Huff *f = &H->huff[k >> 4][k & 3]; int code = 0, j = 0; f->there = 1;
      const u8 *v = p + 16;
      for (int l = 1; l <= 16; l++) { f->valptr[l] = j; f->mincode[l] = code; for (int q = 0; q < p[l - 1]; q++) { f->vals[j] = v[j]; f->len[v[j]] = l; f->code[v[j]] = code++; j++; } f->maxcode[l] = p[l - 1] ? code - 1 : -1; code <<= 1; }
      p = v + j;
    } else if (m == 0xdd || (m >= 0xc1 && m <= 0xcf)) return -4;
    else if (m == 0xda) { if (p[0] != H->nc) return -5; for (int c = 0; c < H->nc; c++) { H->c[c].td = p[2 + 2 * c] >> 4; H->c[c].ta = p[2 + 2 * c] & 15; } break; }
    i += 2 + L;
  }
  if (H->nc == 1) H->c[0].h = H->c[0].v = H->hmax = H->vmax = 1;
  H->mcux = (H->w + 8 * H->hmax - 1) / (8 * H->hmax); H->mcuy = (H->hgt + 8 * H->vmax - 1) / (8 * H->vmax); H->nblocks = 0;
  for (int c = 0; c < H->nc; c++) { H->c[c].bw = H->mcux * H->c[c].h; H->c[c].bh = H->mcuy * H->c[c].v; H->c[c].off = H->nblocks; H->nblocks += H->c[c].bw * H->c[c].bh; }
  return H->nblocks <= MAXB ? 0 : -6;
}
/* ---- Huffman ---- */
typedef struct { const u8 *p, *e; u32 acc; int n, bad; } BR;
static int bit(BR *r) {
  if (!r->n) { if (r->p >= r->e) { r->bad = 1; return 1; } r->acc = *r->p++; if (r->acc == 0xff) { if (r->p < r->e && *r->p == 0) r->p++; else { r->bad = 1; r->p--; return 1; } } r->n = 8; }
  r->n--; return r->acc >> r->n & 1;
}
static int bits(BR *r, int n) { int v = 0; while (n--) v = v << 1 | bit(r); return v; }
static int sym(BR *r, Huff *f) { int c = 0; for (int l = 1; l <= 16; l++) { c = c << 1 | bit(r); if (f->maxcode[l] >= 0 && c <= f->maxcode[l] && c >= f->mincode[l]) return f->vals[f->valptr[l] + c - f->mincode[l]]; } r->bad = 1; return 0; }
static int ext(int v, int n) { return n && v < 1 << (n - 1) ? v - (1 << n) + 1 : v; }
static int read_scan(S *s, Head *H, const u8 *p, const u8 *e) {
  BR r = {p, e, 0, 0, 0}; int dc[3] = {0, 0, 0};
  for (int my = 0; my < H->mcuy; my++) for (int mx = 0; mx < H->mcux; mx++) for (int c = 0; c < H->nc; c++) for (int v = 0; v < H->c[c].v; v++) for (int h = 0; h < H->c[c].h; h++) {
    Comp *C = &H->c[c]; i16 *b = s->coef[C->off + (my * C->v + v) * C->bw + mx * C->h + h]; for (int k = 0; k < 64; k++) b[k] = 0;
    int t = sym(&r, &H->huff[0][C->td & 3]); if (t > 11) return -1; dc[c] += ext(bits(&r, t), t); b[0] = dc[c];
    for (int k = 1; k < 64; k++) { int x = sym(&r, &H->huff[1][C->ta & 3]), n = x & 15; if (!n) { if (x == 0xf0) { k += 15; if (k > 63) return -1; continue; } if (x) return -1; break; } k += x >> 4; if (k > 63 || n > 10) return -1; b[k] = ext(bits(&r, n), n); }
    if (r.bad) return -1;
  }
  return 0;
}
typedef struct { u8 *p; u32 acc; int n; } BW;
static inline void put(BW *w, u32 v, int n) { w->acc = w->acc << n | v; w->n += n; while (w->n >= 8) { u8 x = w->acc >> (w->n - 8); *w->p++ = x; if (x == 0xff) *w->p++ = 0; w->n -= 8; w->acc &= (1u << w->n) - 1; } }
static inline void put_val(BW *w, Huff *f, int run, int v) { int a = v < 0 ? -v : v, n = 0; while (a >> n) n++; int x = run << 4 | n; put(w, f->code[x], f->len[x]); if (n) put(w, v < 0 ? v + (1 << n) - 1 : v, n); }
static u8 *write_scan(S *s, Head *H, u8 *o) {
  BW w = {o, 0, 0}; int dc[3] = {0, 0, 0};
  for (int my = 0; my < H->mcuy; my++) for (int mx = 0; mx < H->mcux; mx++) for (int c = 0; c < H->nc; c++) for (int v = 0; v < H->c[c].v; v++) for (int h = 0; h < H->c[c].h; h++) {
    Comp *C = &H->c[c]; i16 *b = s->coef[C->off + (my * C->v + v) * C->bw + mx * C->h + h];
    put_val(&w, &H->huff[0][C->td & 3], 0, b[0] - dc[c]); dc[c] = b[0]; int run = 0; Huff *f = &H->huff[1][C->ta & 3];
    for (int k = 1; k < 64; k++) { if (!b[k]) { run++; continue; } while (run > 15) { put(&w, f->code[0xf0], f->len[0xf0]); run -= 16; } put_val(&w, f, run, b[k]); run = 0; }
    if (run) put(&w, f->code[0], f->len[0]);
  }
  if (w.n) put(&w, (1 << (8 - w.n)) - 1, 8 - w.n);
  *w.p++ = 0xff; *w.p++ = 0xd9; return w.p;
}
/* ---- the arithmetic coder and the mixing ---- */
static int squash_(int d) { static const int t[33] = {1,2,3,6,10,16,27,45,73,120,194,310,488,747,1101,1546,2047,2549,2994,3348,3607,3785,3901,3975,4022,4050,4068,4079,4085,4089,4092,4093,4094}; if (d > 2047) return 4095; if (d < -2047) return 0; int w = d & 127; d = (d >> 7) + 16; return (t[d] * (128 - w) + t[d + 1] * w + 64) >> 7; }
static void init(S *s) {
  for (int i = 0; i < NI; i++) for (int j = 0; j < 1 << TB; j++) s->t[i][j] = 1u << 31;
  for (int i = 0; i < 4096; i++) for (int j = 0; j < NI; j++) s->w[i][j] = 65536 * 3 / 10;
  int pi = 0; for (int x = -2047; x <= 2047; x++) { int v = squash_(x); for (int j = pi; j <= v; j++) s->stretch[j] = x; pi = v + 1; } for (int j = pi; j < 4096; j++) s->stretch[j] = 2047;
  for (int i = 0; i < 4096; i++) s->squash[i] = squash_(i - 2048);
  for (int i = 0; i < 256; i++) s->rec[i] = 655360 / (i * 10 + 16);
  for (int c = 0; c < 1024; c++) for (int j = 0; j < 33; j++) s->apm[0][c * 33 + j] = s->apm[1][c * 33 + j] = (u32)squash_((j - 16) * 128) << 4;
  s->low = 0; s->high = 0xffffffff;
}
#define LIMIT 250
static inline u32 hash(u32 a, u32 b) { u32 h = a * 0x9E3779B1u ^ (b + 0x7F4A7C15u) * 0x85EBCA6Bu; h ^= h >> 15; h *= 0x2C1B3C6Du; h ^= h >> 13; return h; }
static int code_bit(S *s, int y, const u32 *ctx, u32 node, int mix, int an) {
  i64 dot = 0; i32 *w = s->w[mix];
  for (int i = 0; i < NI; i++) { u32 h = hash(ctx[i], node) >> (32 - TB); s->idx[i] = h; s->st[i] = s->stretch[s->t[i][h] >> 20]; dot += (i64)s->st[i] * w[i]; }
  int d = (int)(dot >> 16); if (d > 2047) d = 2047; if (d < -2047) d = -2047;
  int p0 = s->squash[d + 2048];
  int pos = (d + 2048) * 32, lo = pos >> 12, wt = pos & 4095; u32 *a = &s->apm[0][(an & 1023) * 33 + lo];
  int p1 = (int)((a[0] * (u64)(4096 - wt) + a[1] * (u64)wt) >> 12);
  int p = (p0 * 16 + p1) / 2; /* of 65536 */
  if (p < 24) p = 24; if (p > 65536 - 24) p = 65536 - 24;
  u32 mid = s->low + (u32)(((u64)(s->high - s->low) * (u32)p) >> 16);
  if (!s->enc) y = s->code <= mid;
  if (y) s->high = mid; else s->low = mid + 1;
  while (!((s->low ^ s->high) >> 24)) {
    if (s->enc) *s->out++ = s->high >> 24; else s->code = s->code << 8 | (s->in < s->inend ? *s->in++ : 0);
    s->low <<= 8; s->high = s->high << 8 | 255;
  }
  int err = ((y << 12) - p0) * 6;
  for (int i = 0; i < NI; i++) {
    w[i] += (s->st[i] * err + (1 << (ESH - 1))) >> ESH;
    u32 *t = &s->t[i][s->idx[i]], v = *t, n = v & 1023; i64 pr = v >> 10;
    pr += ((((i64)y << 22) - pr) * s->rec[n]) >> 16; if (pr > (1 << 22) - 1) pr = (1 << 22) - 1; if (pr < 0) pr = 0;
    *t = (u32)pr << 10 | (n < LIMIT ? n + 1 : n);
  }
  u32 g = (u32)y << 16; a += wt >= 2048; *a += ((i32)(g - (y ? 16 : 0)) - (i32)*a) >> 6;
  return y;
}
static inline int ilog(u32 a) { int n = 0; while (a) { n++; a >>= 1; } return n; }
static inline int bin(u32 a) { if (a < 8) return a; int n = ilog(a); return 4 + (n - 2) * 4 + ((a >> (n - 3)) & 3); }
static inline int ab(int a) { return a < 0 ? -a : a; }
static inline int mn(int a, int b) { return a < b ? a : b; }
static inline int sg(int a) { return a > 0 ? 1 : a < 0 ? 2 : 0; }
/* magnitude: unary to 12, then Elias-gamma */
static int code_mag(S *s, int a, const u32 *ctx, int base, int mix, int an) {
  int v = 0;
  for (; v < 12; v++) if (!code_bit(s, a > v, ctx, base + v, mix + mn(v, 3), an * 4 + mn(v, 3))) return v;
  int r = a - 12, n = s->enc ? ilog(r + 1) : 0, m = 1;
  for (;; m++) if (!code_bit(s, n > m, ctx, base + 16 + m, mix + 3, an * 4 + 3)) break;
  n = m; int x = 1;
  for (int i = n - 2; i >= 0; i--) x = x << 1 | code_bit(s, (r + 1) >> i & 1, ctx, base + 32 + (i == n - 2 ? n : 15), mix + 3, an * 4 + 3);
  return 12 + x - 1;
}
static void idct_edges(S *s, int at, u16 *q) {
  /* pixels (times 8) without rounding to 8 bits: edge[0..7] top row, 8..15 its neighbour; of all, kept: rows 0,1,6,7, columns likewise */
  i32 tmp[8][8], px[8][8]; i16 *b = s->coef[at]; i32 f[8][8];
  for (int i = 0; i < 64; i++) f[i >> 3][i & 7] = 0;
  for (int k = 0; k < 64; k++) if (b[k]) f[ZZ[k] >> 3][ZZ[k] & 7] = b[k] * q[ZZ[k]];
  for (int v = 0; v < 8; v++) for (int x = 0; x < 8; x++) { i32 a = 0; for (int u = 0; u < 8; u++) a += f[v][u] * CS[u][x]; tmp[v][x] = a >> 7; }
  for (int x = 0; x < 8; x++) for (int y = 0; y < 8; y++) { i64 a = 0; for (int v = 0; v < 8; v++) a += (i64)tmp[v][x] * CS[v][y]; px[y][x] = (i32)(a >> 16); }
  /* extrapolated to the border: 1.5 * outer - 0.5 * inner */
  for (int i = 0; i < 8; i++) {
    s->edge[at][i] = (3 * px[0][i] - px[1][i]) / 2; s->edge[at][8 + i] = (3 * px[i][0] - px[i][1]) / 2;
    s->edge[at][16 + i] = (3 * px[7][i] - px[6][i]) / 2; s->edge[at][24 + i] = (3 * px[i][7] - px[i][6]) / 2;
  }
}
static void code_image(S *s, Head *H) {
  static const i16 zero[64];
  for (int c = 0; c < H->nc; c++) {
    Comp *C = &H->c[c]; int cc = (H->nc == 1 ? 0 : c), P = cc * 64; u16 *q = H->q[C->tq];
    for (int y = 0; y < C->bh; y++) for (int x = 0; x < C->bw; x++) {
      int at = C->off + y * C->bw + x; i16 *b = s->coef[at];
      const i16 *A = y ? s->coef[at - C->bw] : zero, *L = x ? s->coef[at - 1] : zero, *AL = x && y ? s->coef[at - C->bw - 1] : zero, *AR = y && x + 1 < C->bw ? s->coef[at - C->bw + 1] : zero;
      const i16 *K = zero; int has = 0, nk = 0; /* the other colour's block; for Cb the luma's */
      if (c == 2) { K = s->coef[H->c[1].off + y * C->bw + x]; has = 1; nk = s->nz[H->c[1].off + y * C->bw + x]; }
      else if (c == 1) { Comp *Y = &H->c[0]; int yy = y * Y->v / C->v, xx = x * Y->h / C->h; int sum = 0, m = 0; for (int j = 0; j < Y->v / C->v; j++) for (int i = 0; i < Y->h / C->h; i++) { sum += s->nz[Y->off + (yy + j) * Y->bw + xx + i]; m++; } nk = sum / (m ? m : 1); K = s->coef[Y->off + yy * Y->bw + xx]; }
      int na = y ? s->nz[at - C->bw] : -1, nl = x ? s->nz[at - 1] : -1, avg = na < 0 ? nl : nl < 0 ? na : (na + nl + 1) / 2;
      int nal = x && y ? s->nz[at - C->bw - 1] : 0, nar = y && x + 1 < C->bw ? s->nz[at - C->bw + 1] : 0;
      int n = 0; if (s->enc) { for (int k = 1; k < 64; k++) n += b[k] != 0; } else for (int k = 0; k < 64; k++) b[k] = 0;
      u32 ctx[NI], node = 1;
      ctx[0] = P + 1; ctx[1] = hash(P + 2, avg + 1); ctx[2] = hash(P + 3, (na + 1) * 65 + nl + 1); ctx[3] = hash(P + 4, nk * 2 + has); ctx[4] = hash(P + 5, (avg + 1) / 3 * 64 + nk); ctx[5] = hash(P + 6, (y * 16 + x)); ctx[6] = hash(P + 7, (na + nl + nal + nar + 2) * 4 + (nk > 0) + (nk > 4) + (nk > 12)); ctx[7] = hash(P + 8, (na + 1) / 2 + 64 * ((nar + 1) / 4) + 2048 * ((nl + 1) / 2));
      for (int i = 5; i >= 0; i--) node = node << 1 | code_bit(s, n >> i & 1, ctx, node, cc * 8 + i, 900 + cc * 8 + i);
      n = node & 63; s->nz[at] = n;
      int rem = n, last1 = 0, last2 = 0, sum = 0;
      for (int k = 1; k < 64 && rem; k++) {
        int z = ZZ[k], u = z & 7, v = z >> 3;
        int ma = ab(A[k]), ml = ab(L[k]), mal = ab(AL[k]), mar = ab(AR[k]), mk = ab(K[k]);
        int nb = (13 * (ma + ml) + 6 * (mal + mar)) ;
        /* neighbours in frequency that are known */
        int fn = 0; { static const u8 UZ[64] = {0,1,5,6,14,15,27,28,2,4,7,13,16,26,29,42,3,8,12,17,25,30,41,43,9,11,18,24,31,40,44,53,10,19,23,32,39,45,52,54,20,22,33,38,46,51,55,60,21,34,37,47,50,56,59,61,35,36,48,49,57,58,62,63};
          if (u) { int j = UZ[z - 1]; if (j && j < k) fn += 2 * ab(b[j]); } if (v) { int j = UZ[z - 8]; if (j && j < k) fn += 2 * ab(b[j]); }
          if (u && v) { int j = UZ[z - 9]; if (j) fn += ab(b[j]); } if (u > 1) { int j = UZ[z - 2]; if (j) fn += ab(b[j]); } if (v > 1) { int j = UZ[z - 16]; if (j) fn += ab(b[j]); } }
        int left = 64 - k, kk = (P + k) << 4;
        ctx[0] = hash(kk + 1, rem);
        ctx[1] = hash(kk + 2, bin(nb / 4));
        ctx[2] = hash(kk + 3, mn(bin(fn), 15) * 64 + mn(rem, 12));
        ctx[3] = hash(kk + 4, mn(ma, 7) * 64 + mn(ml, 7) * 8 + mn(mk, 3));
        ctx[4] = hash(kk + 5, mn(mk, 11) * 64 + mn(rem, 7) * 8 + mn(nk, 28) / 4);
        ctx[5] = hash((P << 4) + 6, (mn(rem, 31) * 64 + left) * 16 + mn(bin(nb / 16), 15));
        ctx[6] = hash(kk + 7, n * 8 + mn(bin(nb / 24), 7));
        ctx[7] = hash(kk + 8, mn(last1, 5) * 512 + mn(last2, 5) * 64 + mn(sum, 63) / 2 );
        int a = s->enc ? ab(b[k]) : 0, mix = 64 + (mn(cc, 1) * 64 + k) * 4;
        a = code_mag(s, a, ctx, 0x100, mix, mn(rem, 15) + 16 * mn(bin(nb / 16), 12));
        int neg = 0;
        if (a) {
          int sa = sg(A[k]), sl = sg(L[k]), sk = has ? sg(K[k]) : 0;
          ctx[0] = hash(kk + 9, sa * 3 + sl); ctx[1] = hash(kk + 10, sk * 16 + mn(mk, 3)); ctx[2] = hash(kk + 11, (k > 1) * sg(b[1]) * 9 + (k > 2) * sg(b[2]) * 3 + (k > 4) * sg(b[4]));
          ctx[3] = hash(kk + 12, mn(a, 3) * 64 + sl * 16 + sk * 4 + mn(ml, 3));
          ctx[4] = hash(kk + 13, mn(a, 3) * 64 + sa * 16 + sk * 4 + mn(ma, 3));
          /* what the border asks for: pixels of the known block beside, against those so far here */
          int e = 0, have = 0;
          if (v == 0 && y) { i16 *E = s->edge[at - C->bw] + 16; for (int i = 0; i < 8; i++) e += E[i] * CS[u][i]; e /= 4096 * 1; have = 1; }
          else if (u == 0 && x) { i16 *E = s->edge[at - 1] + 24; for (int i = 0; i < 8; i++) e += E[i] * CS[v][i]; e /= 4096; have = 2; }
          else if (x && y) { have = 3; }
          int eb = have == 3 || !have ? 0 : (e < 0 ? -1 : 1) * mn(ilog(ab(e) >> 2), 15);
          ctx[5] = hash(kk + 14, have * 64 + eb + 16);
          ctx[6] = hash(kk + 15, (have * 64 + eb + 16) * 4 + mn(a, 3));
          { int tu = 0; if (u) for (int i = 0; i < u; i++) { static const u8 UZ[64] = {0,1,5,6,14,15,27,28,2,4,7,13,16,26,29,42,3,8,12,17,25,30,41,43,9,11,18,24,31,40,44,53,10,19,23,32,39,45,52,54,20,22,33,38,46,51,55,60,21,34,37,47,50,56,59,61,35,36,48,49,57,58,62,63}; int j = UZ[v * 8 + i]; if (j && j < k && b[j]) tu = tu * 3 + sg(b[j]); }
            ctx[7] = hash(kk + 16, tu % 729 + 1000 * sk); }
          neg = code_bit(s, s->enc ? b[k] < 0 : 0, ctx, 0x200, 64 + 512 + cc * 64 + k, 700 + cc * 64 + k);
        }
        if (a) rem--;
        if (!s->enc) b[k] = neg ? -a : a;
        last2 = last1; last1 = a; sum += a;
      }
      /* DC, from the borders */
      int real = b[0]; b[0] = 0; idct_edges(s, at, q);
      int est[16], ne = 0, tot = 0, half[2] = {0, 0};
      if (y) for (int i = 0; i < 8; i++) { int d = s->edge[at - C->bw][16 + i] - s->edge[at][i]; est[ne++] = d; tot += d; half[0] += d; }
      if (x) for (int i = 0; i < 8; i++) { int d = s->edge[at - 1][24 + i] - s->edge[at][8 + i]; est[ne++] = d; tot += d; half[1] += d; }
      int q0 = q[0] ? q[0] : 1, pred = 0, spread = 0, differ = 0; /* pixels are times 8 here; a step of DC is q0/8 pixel, so q0 in these units, see scale */
      if (ne) { pred = (int)((2 * (i64)tot / ne + (tot < 0 ? -1 : 1) * (i64)q0) / (2 * q0)); int m = tot / ne; for (int i = 0; i < ne; i++) spread += ab(est[i] - m); spread = spread / ne; differ = x && y ? ab(half[0] - half[1]) / 8 : 255; }
      int dk = c == 2 ? K[0] : 0;
      int resk = 0; if (c == 2) { int o = H->c[1].off + y * C->bw + x; int da = y ? s->coef[o - C->bw][0] : dk, dl = x ? s->coef[o - 1][0] : dk; resk = 2 * dk - da - dl; }
      int s3 = mn(bin(spread * 2), 40), df = mn(bin(differ), 40);
      int pd = half[0] - half[1];
      u32 D = (P + 0) << 4;
      ctx[0] = hash(D + 1, ne); ctx[1] = hash(D + 2, s3 * 4 + (ne >> 3)); ctx[2] = hash(D + 3, df * 4 + (ne >> 3)); ctx[3] = hash(D + 4, s3 / 2 * 32 + df / 2); ctx[4] = hash(D + 5, n * 4 + (ne >> 3)); ctx[5] = hash(D + 6, mn(bin(ab(resk)), 31) * 64 + sg(resk) * 16 + s3 / 3); ctx[6] = hash(D + 7, df / 2 * 4 + sg(pd)); ctx[7] = hash(D + 8, mn(bin(ab(A[0] - AL[0])), 31) * 32 + mn(bin(ab(L[0] - AL[0])), 31));
      int r = real - pred, a = code_mag(s, s->enc ? ab(r) : 0, ctx, 0x300, 1000 + cc * 4, 960 / 4 + cc);
      int neg = 0;
      if (a) {
        ctx[5] = hash(D + 9, sg(resk) * 64 + mn(bin(ab(resk)), 31)); ctx[6] = hash(D + 10, sg(pd) * 8 + mn(a, 7)); ctx[7] = hash(D + 11, sg(pred) * 64 + mn(bin(ab(pred)), 40)); 
        neg = code_bit(s, s->enc ? r < 0 : 0, ctx, 0x400, 1020 + cc, 990 + cc);
      }
      if (!s->enc) real = pred + (neg ? -a : a);
      b[0] = real; idct_edges(s, at, q);
    }
  }
}
/* heads: concatenated, hoff[nh + 1]; id[n]: which head; files: offsets off[n + 1]. Returns the bytes written or < 0. */
i64 pack(u8 *work, const u8 *heads, const i64 *hoff, int nh, const u8 *id, int n, const u8 *files, const i64 *off, u8 *out, i64 *failed) {
  S *s = (S *)(((u64)work + 63) & ~63ull); init(s); s->enc = 1; s->out = out;
  for (int i = 0; i < nh; i++) { int r = parse(heads + hoff[i], (int)(hoff[i + 1] - hoff[i]), &s->heads[i]); if (r) return r; }
  for (int i = 0; i < n; i++) { Head *H = &s->heads[id[i]]; if (read_scan(s, H, files + off[i], files + off[i + 1])) { *failed = i; return -100; } code_image(s, H); }
  for (int i = 0; i < 4; i++) { *s->out++ = s->high >> 24; s->high <<= 8; }
  return s->out - out;
}
i64 unpack(u8 *work, const u8 *heads, const i64 *hoff, int nh, const u8 *id, int n, const u8 *in, i64 len, u8 *out, i64 *off) {
  S *s = (S *)(((u64)work + 63) & ~63ull); init(s); s->enc = 0; s->in = in; s->inend = in + len; u8 *o = out;
  for (int i = 0; i < 4; i++) s->code = s->code << 8 | (s->in < s->inend ? *s->in++ : 0);
  for (int i = 0; i < nh; i++) { int r = parse(heads + hoff[i], (int)(hoff[i + 1] - hoff[i]), &s->heads[i]); if (r) return r; }
  for (int i = 0; i < n; i++) { Head *H = &s->heads[id[i]]; off[i] = o - out; code_image(s, H); i64 a = hoff[id[i]], z = hoff[id[i] + 1]; for (; a < z; a++) *o++ = heads[a]; o = write_scan(s, H, o); }
  off[n] = o - out; return o - out;
}
