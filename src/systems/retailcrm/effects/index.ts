import type { EffectHandler } from '../../../domain/handler.ts';
import { callHandler } from './call.ts';
import type { RetailEffectOptions } from './context.ts';
import { customerHandler } from './customer.ts';
import { orderHandler } from './order.ts';
import { taskHandler } from './task.ts';
import { taskDoneHandler } from './task-done.ts';

/**
 * The writes that one enterprise's RetailCRM takes, in the order in which one needs the other; their kinds are `retailKinds(enterprise)`.
 * A database that failed is the caller's; everything else that goes wrong is a `RemoteError`.
 */
export function retailEffects(options: RetailEffectOptions): EffectHandler[] {
  return [
    customerHandler(options),
    callHandler(options),
    taskHandler(options),
    taskDoneHandler(options),
    orderHandler(options),
  ];
}
