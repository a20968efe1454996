import { mount } from '../frame/Frame';
import { Prices } from './Prices';

mount(<Prices />);
