// The login: built-in accounts or a site's own tokens; renews them in time.
import type { Clock } from './clock.ts';
import { ChatError } from './errors.ts';
import type { Http } from './http.ts';
import { LONGEST_TIMER } from './timing.ts';
import { claims } from './token.ts';
import type { AccountSession, ChatOptions, LoginParams, SignupParams, TokenReason } from './types.ts';

/** A token is renewed when a third of its life is left, a failed try repeated after this. */
const AGAIN = 60_000;

export class Account {
  /** Of a built-in account; null: signed out, or the site has tokens of its own. */
  session: AccountSession | null = null;
  #given: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly http: Http,
    private readonly clock: Clock,
    private readonly ask: ChatOptions['token'],
    /** A fresh token of the same login. */
    private readonly renewed: (token: string) => void,
  ) {}

  /** The site brings the tokens. */
  get external(): boolean {
    return this.ask !== undefined;
  }

  async token(reason: TokenReason): Promise<string> {
    if (!this.ask) {
      if (this.session === null) throw new ChatError(401, 'signed_out');
      if (reason === 'refused') throw new ChatError(401, 'token_invalid');
      return this.session.token;
    }
    if (reason === 'first' && this.#given !== null && !this.#isOver(this.#given)) return this.#given;
    const token = await this.ask(this.#given === null ? 'first' : reason === 'first' ? 'expiring' : reason);
    if (!token) throw new ChatError(401, 'signed_out');
    return (this.#given = token);
  }

  signup(params: SignupParams): Promise<AccountSession> {
    return this.http.json('POST', this.http.url('api', '/signup'), { body: params });
  }

  login(params: LoginParams): Promise<AccountSession> {
    return this.http.json('POST', this.http.url('api', '/login'), { body: params });
  }

  /** A login that is over already is as good as logged out, and so is one the server cannot be told of. */
  async logout(session: AccountSession | null): Promise<void> {
    if (session === null) return;
    await this.http.fetch('POST', this.http.url('api', '/logout'), { token: session.token }).catch(() => {});
  }

  async changePassword(password: string, new_password: string): Promise<void> {
    const token = await this.token('first');
    await this.http.fetch('POST', this.http.url('api', '/password'), { token, body: { password, new_password } });
  }

  forget(): void {
    this.session = this.#given = null;
    this.cancel();
  }

  // --- renewal

  /** While a connection stands. */
  schedule(): void {
    this.cancel();
    const token = this.session?.token ?? this.#given;
    const { exp, iat } = claims(token ?? '');
    if (!token || !exp) return;
    const left = exp * 1000 - this.clock.now();
    const life = iat && iat < exp ? (exp - iat) * 1000 : left;
    this.#after(left - life / 3);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  #after(ms: number): void {
    if (ms > LONGEST_TIMER) this.#timer = setTimeout(() => this.schedule(), LONGEST_TIMER);
    else this.#timer = setTimeout(() => void this.#renew(), Math.max(0, ms));
  }

  async #renew(): Promise<void> {
    try {
      if (this.ask) {
        this.renewed(await this.token('expiring'));
      } else if (this.session) {
        const url = this.http.url('api', '/token');
        const fresh = await this.http.json<AccountSession>('POST', url, { token: this.session.token });
        if (!this.session) return;
        this.session = { ...this.session, ...fresh };
        this.renewed(this.session.token);
      }
      this.schedule();
    } catch {
      // the server ends the connection when the token does; until then there is time
      this.#after(AGAIN);
    }
  }

  #isOver(token: string): boolean {
    const { exp } = claims(token);
    return this.clock.known && exp !== undefined && exp * 1000 <= this.clock.now();
  }
}
