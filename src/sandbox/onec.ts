import type { SandboxAnswer, SandboxRequest, Standin } from './kit.ts';
import { fillWorld, shiftPredefined } from './onec/content.ts';
import { type Entity, OnecRefusal } from './onec/model.ts';
import { DEFAULT_OPTIONS, mergeOptions, type OnecOptions } from './onec/options.ts';
import { editAsPerson, type OnecEdit, type OnecSeed, seedWorld } from './onec/seed.ts';
import { serveCall } from './onec/service.ts';
import { createSessions, isAuthorised, loginPage, type Sessions } from './onec/sessions.ts';
import { ENTITY_TYPES } from './onec/types.ts';
import { answerOf, errorAnswer } from './onec/wire.ts';
import { createWorld, propertyOf, putInformation, type World } from './onec/world.ts';

export { ONEC_SANDBOX_PASSWORD, ONEC_SANDBOX_USER, type OnecOptions } from './onec/options.ts';
export type { OnecEdit, OnecSeed } from './onec/seed.ts';

/** Where the service stands under the stand-in's address. */
export const ONEC_SANDBOX_PATH = '/odata/standard.odata';

/** 1C's stand-in, with what tests look at. Entities handed out are copies in wire form, table parts within. */
export interface OnecStandin extends Standin {
  entities(set: string): Entity[];
  entity(set: string, ref: string): Entity | undefined;
  /** Guid of an item by its predefined name, else by its description; throws where there is none. */
  ref(set: string, name: string): string;
  /** Additional information of an object by the property's name: what stands there, as text. */
  mark(set: string, ref: string, property: string): string | undefined;
  /** Writes additional information as a person would. */
  putMark(set: string, ref: string, property: string, value: string | number): void;
  /** Writes an object as a person in 1C's own client would: a posted document is posted anew. */
  edit(edit: OnecEdit): Entity;
  /** Now on the server, in its zone. */
  localNow(): string;
  dropSessions(): void;
  seed(content: OnecSeed): void;
  snapshot(): Record<string, Entity[]>;
}

function wantsJson(request: SandboxRequest): boolean {
  const format = request.query.get('$format') ?? '';
  if (format !== '') return format.startsWith('json') || format.startsWith('application/json');
  return (request.headers.accept ?? '').includes('application/json');
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path.slice(ONEC_SANDBOX_PATH.length)).replace(/^\//, '');
  } catch {
    throw new OnecRefusal(400, 6, 'Неверный URL: ошибка кодирования');
  }
}

type Respond = (request: SandboxRequest, json: boolean) => SandboxAnswer;

function responder(world: World, sessions: Sessions): Respond {
  const { options } = world;
  return (request, json) => {
    if (!request.path.startsWith(ONEC_SANDBOX_PATH)) return { status: 404, body: '<html>404</html>' };
    if (!isAuthorised(request.headers.authorization, options)) {
      if (options.authHtml200) return loginPage();
      const refused = errorAnswer(401, '20', 'Идентификация пользователя не выполнена', json);
      return { ...refused, headers: { ...refused.headers, 'www-authenticate': 'Basic realm="1C"' } };
    }
    const { refused, cookie } = sessions.admit(request.headers);
    if (refused !== undefined) return errorAnswer(refused, '-1', 'Сеанс отсутствует или удален', json);
    try {
      const reply = serveCall(world, {
        method: request.method,
        path: decodedPath(request.path),
        rawQuery: request.rawQuery,
        headers: request.headers,
        body: request.body,
        base: `http://${request.headers.host ?? 'localhost'}${ONEC_SANDBOX_PATH}`,
      });
      const answer = answerOf(reply, json);
      return cookie === undefined ? answer : { ...answer, headers: { ...answer.headers, 'set-cookie': cookie } };
    } catch (error) {
      if (error instanceof OnecRefusal) return errorAnswer(error.status, error.code, error.message, json);
      throw error;
    }
  };
}

/**
 * A stand-in of 1C's standard OData interface (protocol 3) over a base of Alfa-Auto 6, written from the platform's guide and
 * from what integrators saw of live bases. Its address + `/odata/standard.odata` is what `ONEC_ODATA_URL` takes.
 * Fault matching sees addresses decoded: `POST /odata/standard.odata/Document_ЗаказНаряд`.
 */
export function onecStandin(given: Partial<OnecOptions> = {}): OnecStandin {
  const options: OnecOptions = { ...DEFAULT_OPTIONS };
  mergeOptions(options, given);
  const world = createWorld(options);
  fillWorld(world);
  const sessions = createSessions(options);
  const respond = responder(world, sessions);

  async function handle(request: SandboxRequest): Promise<SandboxAnswer> {
    const wait = options.coldStartMs;
    options.coldStartMs = 0;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const answer = respond(request, wantsJson(request));
    return { ...answer, headers: { ...answer.headers, date: new Date(options.now()).toUTCString() } };
  }

  return {
    name: 'onec',
    handle,
    configure(changes) {
      mergeOptions(options, changes);
      if ('predefinedShift' in changes) shiftPredefined(world);
    },
    seed: (content: OnecSeed) => seedWorld(world, content),
    entities: (set) => structuredClone(world.all(set)),
    entity: (set, ref) => structuredClone(world.get(set, ref)),
    ref: (set, name) => world.ref(set, name),
    mark(set, ref, property) {
      const key = `${ref}|StandardODATA.${set}|${propertyOf(world, set, property)}`;
      const value = world.get('InformationRegister_ДополнительныеСведения', key)?.Значение;
      return value === undefined ? undefined : String(value);
    },
    putMark(set, ref, property, value) {
      const found = propertyOf(world, set, property);
      if (found === undefined) throw new Error(`1C stand-in: no property ${property} of ${set}`);
      putInformation(world, set, ref, found, value);
    },
    edit: (edit) => structuredClone(editAsPerson(world, edit)),
    localNow: world.localNow,
    dropSessions: sessions.drop,
    snapshot: () => Object.fromEntries([...ENTITY_TYPES.keys()].map((set) => [set, structuredClone(world.all(set))])),
  };
}
